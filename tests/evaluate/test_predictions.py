"""Any model's predictions are measured and compared, as independent definitions say."""

import json

import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from cxrbench.config import Vocabulary, load_vocabulary
from cxrbench.errors import DataError
from cxrbench.evaluate.predictions import compare_files, evaluate_files

NIH = load_vocabulary().names


def test_aucs_are_those_of_scikit_learn(table, labels, good, tmp_path):
    result = evaluate_files(good, labels, tmp_path / "results")
    auc = pl.read_csv(tmp_path / "results" / "auc.csv", infer_schema_length=None)
    predicted = pl.read_csv(good)
    for finding in NIH:
        row = auc.filter(pl.col("group") == "all", pl.col("finding") == finding).row(0, named=True)
        assert row["auc"] == pytest.approx(roc_auc_score(table[finding], predicted[finding]))
        assert row["approach"] == "good"
    assert result.matched["good"]["Image Index"] == "image"
    assert (result.images, result.patients) == (table.height, 150)
    record = json.loads((tmp_path / "results" / "evaluation.json").read_text())
    assert record["models"]["good"]["images_dropped"] == 0


def test_the_better_model_is_found(labels, good, poor, tmp_path):
    result = compare_files([good, poor], labels, tmp_path / "results")
    row = result.tables["comparison"].filter(pl.col("finding") == "Infiltration").row(0, named=True)
    assert (row["approach_a"], row["approach_b"]) == ("good", "poor")
    assert row["lower"] > 0.05
    assert row["p_value"] <= row["p_adjusted"] < 0.05
    assert set(result.tables) == {
        "auc", "auc_summary", "gaps", "probabilities", "reliability", "net_benefit", "roc", "standing", "comparison",
        "rank_correlation", "probability_summary",
    }  # fmt: skip


def test_adjustments_differ_in_how_strict_they_are(labels, good, poor, tmp_path):
    def single(adjustment):
        result = compare_files([good, poor], labels, tmp_path / adjustment, adjustment=adjustment, replicates=0)
        assert json.loads((tmp_path / adjustment / "evaluation.json").read_text())["adjustment"] == adjustment
        return result.tables["comparison"].filter(pl.col("finding") != "mean").drop_nulls("p_value")

    by = {name: single(name) for name in ("holm", "bh", "max-t")}
    p, holm, bh, max_t = by["holm"]["p_value"], *(table["p_adjusted"] for table in by.values())
    assert (p <= bh + 1e-12).all()
    assert (bh <= holm).all()
    assert (p <= max_t + 1e-3).all()
    assert (max_t <= len(p) * p + 1e-2).all()  # never stricter than Bonferroni, but for the simulation
    assert single("max-t")["p_adjusted"].equals(max_t)


def test_max_t_of_one_comparison_changes_nothing(labels, good, poor, tmp_path):
    table = compare_files([good, poor], labels, tmp_path / "out", adjustment="max-t", replicates=0).tables["comparison"]
    mean = table.filter(pl.col("finding") == "mean").row(0, named=True)
    assert mean["p_adjusted"] == pytest.approx(mean["p_value"], abs=5e-3)


def test_max_t_of_a_model_and_its_copy(labels, good, tmp_path):
    copy = tmp_path / "copy.csv"
    copy.write_bytes(good.read_bytes())
    table = compare_files([good, copy], labels, tmp_path / "out", adjustment="max-t", replicates=0).tables["comparison"]
    assert set(table["p_adjusted"].drop_nulls()) == {1.0}


def test_an_unknown_adjustment(labels, good, poor, tmp_path):
    with pytest.raises(DataError, match="unknown adjustment 'tukey'; valid: holm, bh, max-t"):
        compare_files([good, poor], labels, tmp_path / "out", adjustment="tukey")


def test_a_file_given_twice(labels, good, tmp_path):
    with pytest.raises(DataError, match=r"good.csv is given twice"):
        compare_files([good, good], labels, tmp_path / "out")


def test_a_comparison_says_what_it_rests_on(table, labels, good, poor, tmp_path):
    result = compare_files([good, poor], labels, tmp_path / "out", replicates=0)
    row = result.tables["comparison"].filter(pl.col("finding") == "Effusion").row(0, named=True)
    present = table.filter(pl.col("Effusion") == 1)
    assert (row["positives"], row["positive_patients"]) == (present.height, present["patient_id"].n_unique())
    assert row["inflation"] > 0
    means = result.tables["comparison"].filter(pl.col("finding") == "mean")
    assert means["positives"].null_count() == means.height == 1  # the findings of a mean have different numbers


def test_only_images_and_findings_of_all_models_count(table, labels, good, poor, tmp_path):
    pl.read_parquet(poor).head(table.height - 10).drop("Hernia").write_parquet(poor)
    result = compare_files([good, poor], labels, tmp_path / "results")
    assert result.dropped == {"good": 10, "poor": 0}
    assert result.images == table.height - 10
    assert "Hernia" not in result.findings
    assert len(result.findings) == 14


def test_no_common_image(table, labels, good, poor, tmp_path):
    pl.read_csv(good).head(20).write_csv(good)
    pl.read_parquet(poor).tail(20).write_parquet(poor)
    with pytest.raises(DataError, match="no image is in all of good, poor"):
        compare_files([good, poor], labels, tmp_path / "results")


def test_one_label_alone_is_its_own_mean(table, labels, good, tmp_path):
    result = evaluate_files(good, labels, tmp_path / "out", vocabulary=Vocabulary.of(["No Finding"]), replicates=20)
    none, mean = result.tables["auc"].filter(group="all")["auc"]
    assert none == mean


def test_probabilities_have_intervals_by_patient_bootstrap(table, labels, good, tmp_path):
    result = evaluate_files(good, labels, tmp_path / "results", replicates=300)
    row = result.tables["probability_summary"].filter(finding="Infiltration", measure="brier_skill").row(0, named=True)
    assert row["lower"] < row["value"] < row["upper"]
    assert row["question"] == "this model on new patients"
    probabilities = result.tables["probabilities"].filter(finding="Infiltration")
    assert probabilities["prevalence"].item() == pytest.approx(table["Infiltration"].mean())
    again = evaluate_files(good, labels, tmp_path / "results", replicates=300)
    assert again.tables["probability_summary"].equals(result.tables["probability_summary"])
    other = evaluate_files(good, labels, tmp_path / "results", replicates=300, seed=1)
    assert not other.tables["probability_summary"].equals(result.tables["probability_summary"])
