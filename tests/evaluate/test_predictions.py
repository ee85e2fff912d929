"""Any model's predictions are measured and compared; what does not fit the labels is refused in one line."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from cxrbench import runs
from cxrbench.config import Vocabulary, load_vocabulary
from cxrbench.errors import DataError
from cxrbench.evaluate.power import Assumptions, power
from cxrbench.evaluate.predictions import compare_files, evaluate_files
from cxrbench.report.predictions import write_predictions_report
from cxrbench.runs import RunName
from fake_study import fake_table, write_fake_study

NIH = load_vocabulary().names


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return fake_table(np.random.default_rng(0), patients=150)


@pytest.fixture
def labels(table, tmp_path) -> Path:
    """A label file in the layout of the release."""
    path = tmp_path / "Data_Entry_2017_v2020.csv"
    cells = ["|".join(name for name in NIH if row[name] == 1) for row in table.select(NIH).iter_rows(named=True)]
    pl.DataFrame(
        {
            "Image Index": table["image_id"],
            "Finding Labels": cells,
            "Follow-up #": table["follow_up"],
            "Patient ID": table["patient_id"],
            "Patient Age": table["age_years"].cast(pl.Int32),
            "Patient Sex": table["sex"],
            "View Position": table["view"],
        }
    ).write_csv(path)
    return path


def scores(table: pl.DataFrame, strength: float, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    present = table.select(NIH).to_numpy()
    chance = 1 / (1 + np.exp(-(strength * present + rng.normal(size=present.shape) - 2)))
    return pl.DataFrame({"Image Index": table["image_id"], **{name: chance[:, k] for k, name in enumerate(NIH)}})


@pytest.fixture
def good(table, tmp_path) -> Path:
    scores(table, 1.5, seed=1).write_csv(tmp_path / "good.csv")
    return tmp_path / "good.csv"


@pytest.fixture
def poor(table, tmp_path) -> Path:
    scores(table, 0.3, seed=2).write_parquet(tmp_path / "poor.parquet")
    return tmp_path / "poor.parquet"


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


def test_only_images_and_findings_of_all_models_count(table, labels, good, poor, tmp_path):
    pl.read_parquet(poor).head(table.height - 10).drop("Hernia").write_parquet(poor)
    result = compare_files([good, poor], labels, tmp_path / "results")
    assert result.dropped == {"good": 10, "poor": 0}
    assert result.images == table.height - 10
    assert "Hernia" not in result.findings
    assert len(result.findings) == 14


def test_images_are_found_without_their_folder_or_ending(table, labels, good, tmp_path):
    expected = evaluate_files(good, labels, tmp_path / "expected").tables["auc"]
    for name in (
        pl.format("images_001/images/{}", "Image Index"),
        pl.col("Image Index").str.replace(".png", "", literal=True),
    ):
        path = tmp_path / "good.csv"
        scores(table, 1.5, seed=1).with_columns(name.alias("Image Index")).write_csv(path)
        assert evaluate_files(path, labels, tmp_path / "results").tables["auc"].equals(expected)


def test_labels_missing_for_some_images(table, labels, good, tmp_path):
    extra = scores(table, 1.0).head(2).with_columns(pl.Series("Image Index", ["x.png", "y.png"]))
    pl.concat([pl.read_csv(good), extra]).write_csv(good)
    with pytest.raises(DataError, match=r"2 images of .*good.csv have no label in .*\(first: x.png\)"):
        evaluate_files(good, labels, tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_labels_of_another_archive(labels, good, tmp_path):
    other = pl.read_csv(good).with_row_index().with_columns(pl.format("case{}.png", "index").alias("Image Index"))
    other.drop("index").write_csv(good)
    with pytest.raises(DataError, match=r"no image of .*good.csv has a label .*first: case0.png"):
        evaluate_files(good, labels, tmp_path / "results")


def test_patients_that_were_trained_on(table, labels, good, tmp_path):
    trained = tmp_path / "train.txt"
    trained.write_text(f"{table['image_id'][0]}\n")
    with pytest.raises(DataError, match=rf"1 patients of the test images .*first: {table['patient_id'][0]}\)"):
        evaluate_files(good, labels, tmp_path / "results", trained_on=trained)


def test_training_patients_apart_are_fine(table, labels, good, tmp_path):
    trained = tmp_path / "train.txt"
    trained.write_text(f"{table['patient_id'][0]}\n")
    pl.read_csv(good).filter(table["patient_id"] != table["patient_id"][0]).write_csv(good)
    assert evaluate_files(good, labels, tmp_path / "results", trained_on=trained).patients == 149


def test_a_list_that_names_nobody(labels, good, tmp_path):
    trained = tmp_path / "train.txt"
    trained.write_text("somebody else\n")
    with pytest.raises(DataError, match="names no image or patient"):
        evaluate_files(good, labels, tmp_path / "results", trained_on=trained)


def test_no_common_image(table, labels, good, poor, tmp_path):
    pl.read_csv(good).head(20).write_csv(good)
    pl.read_parquet(poor).tail(20).write_parquet(poor)
    with pytest.raises(DataError, match="no image is in all of good, poor"):
        compare_files([good, poor], labels, tmp_path / "results")


def test_label_column_of_another_version(table, labels, good, tmp_path):
    cells = pl.read_csv(labels)["Finding Labels"].to_list()
    cells[3] = "Hernia|Edema"
    pl.read_csv(good).with_columns(pl.Series("Finding Labels", cells)).write_csv(good)
    with pytest.raises(DataError, match=rf"another version of the labels .*1 of .*first: {table['image_id'][3]}\)"):
        evaluate_files(good, labels, tmp_path / "results")


def test_a_run_of_a_study_with_other_labels(tmp_path):
    study = write_fake_study(tmp_path / "study", patients=40, resamples=1)
    predictions = RunName("ft", "resample-1", 0).folder(study) / "predictions-test.parquet"
    same = study / runs.TABLE_FILE
    assert evaluate_files(predictions, same, tmp_path / "results").tables["auc"].height
    image = pl.read_parquet(predictions)["image_id"][0]
    other = tmp_path / "other.parquet"
    pl.read_parquet(same).with_columns(
        pl.when(pl.col("image_id") == image).then(1 - pl.col("Mass")).otherwise("Mass").cast(pl.Int8).alias("Mass")
    ).write_parquet(other)
    with pytest.raises(DataError, match=rf"1 of \d+ images differ \(first: {image}\)"):
        evaluate_files(predictions, other, tmp_path / "again")


def test_a_folder_of_other_files_is_never_replaced(labels, good, tmp_path):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="holds other files than results"):
        evaluate_files(good, labels, out)
    assert (out / "thesis.txt").read_text() == "years of work"


def test_earlier_results_are_replaced(labels, good, poor, tmp_path):
    compare_files([good, poor], labels, tmp_path / "results")
    evaluate_files(good, labels, tmp_path / "results")
    assert not (tmp_path / "results" / "comparison.csv").exists()


def test_power_grows_with_the_difference_and_is_the_same_again(labels):
    small, large = (
        power(labels, difference=value).filter(pl.col("finding") == "Infiltration") for value in (0.01, 0.1)
    )
    assert small["power"][0] < large["power"][0]
    assert small["smallest_detectable"][0] == large["smallest_detectable"][0]
    assert power(labels, difference=0.01).filter(pl.col("finding") == "Infiltration").equals(small)


def test_power_at_the_smallest_detectable_difference_is_80_percent(labels):
    detectable = power(labels).filter(pl.col("finding") == "Infiltration")["smallest_detectable"][0]
    reached = power(labels, difference=detectable).filter(pl.col("finding") == "Infiltration")["power"][0]
    assert reached == pytest.approx(0.8, abs=0.01)


def test_models_that_agree_are_easier_to_tell_apart(labels):
    apart, alike = (
        power(labels, assumptions=Assumptions(correlation=r)).filter(pl.col("finding") == "Infiltration")["std_error"][
            0
        ]
        for r in (0.2, 0.9)
    )
    assert alike < 0.6 * apart


@pytest.mark.parametrize("difference", [0.0, 0.5, -0.01])
def test_power_for_a_difference_out_of_range(labels, difference):
    with pytest.raises(ValueError, match=f"got {difference}"):
        power(labels, difference=difference)


def test_power_for_images_without_labels(labels, tmp_path):
    listed = tmp_path / "test_list.txt"
    listed.write_text("x.png\n")
    with pytest.raises(DataError, match=r"1 images have no label \(first: x.png\)"):
        power(labels, images=listed)


def test_a_study_of_other_findings_brings_its_own_vocabulary(tmp_path):
    findings = ("Effusion", "Infiltration")
    study = write_fake_study(tmp_path / "study", patients=60, resamples=1, findings=findings)
    table = study / runs.TABLE_FILE
    renamed = {"Effusion": "Erguss", "Infiltration": "Verschattung"}
    pl.read_parquet(table).rename(renamed).write_parquet(tmp_path / "labels.parquet")
    run = pl.read_parquet(RunName("ft", "resample-1", 0).folder(study) / "predictions-test.parquet")
    chances = run.rename(renamed).with_columns(
        (1 / (1 + (-pl.col(name)).exp())).alias(name) for name in renamed.values()
    )
    chances.write_csv(tmp_path / "a.csv")
    result = evaluate_files(tmp_path / "a.csv", tmp_path / "labels.parquet", tmp_path / "results")
    assert result.findings == ("Erguss", "Verschattung")
    assert power(tmp_path / "labels.parquet")["finding"].to_list() == ["Erguss", "Verschattung", "mean"]


def test_findings_of_another_vocabulary(table, labels, good, tmp_path):
    own = Vocabulary.of(["Effusion", {"name": "Infiltrates", "aliases": ["Infiltration"]}, "Scoliosis"], name="own")
    table.drop("Mass").write_parquet(tmp_path / "table.parquet")
    result = evaluate_files(good, tmp_path / "table.parquet", tmp_path / "out", vocabulary=own, replicates=0)
    assert result.findings == ("Effusion", "Infiltrates")
    whole = evaluate_files(good, labels, tmp_path / "whole", replicates=0).tables["auc"]
    ours, theirs = (
        rows.filter(group="all", finding=name)["auc"].item()
        for rows, name in ((result.tables["auc"], "Infiltrates"), (whole, "Infiltration"))
    )
    assert ours == theirs
    record = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert Vocabulary.model_validate(record["vocabulary"]) == own.subset(["Effusion", "Infiltrates"])
    with pytest.raises(DataError, match=r"table.parquet states no finding of the vocabulary 'teeth': it has Atelec"):
        evaluate_files(
            good, tmp_path / "table.parquet", tmp_path / "x", vocabulary=Vocabulary.of(["Tooth"], name="teeth")
        )


def test_labels_in_columns_of_their_own_names(tmp_path):
    rng = np.random.default_rng(0)
    present, people = rng.random((60, 2)) < 0.4, np.arange(60) // 2
    rows = [f"{k}.png,P{people[k]},{int(present[k, 0])},{int(present[k, 1]) if k % 3 else ''}" for k in range(60)]
    (tmp_path / "labels.csv").write_text("\n".join(["film,person,a,b", *rows]))
    columns = "{Fracture: a, Clip: b}"
    (tmp_path / "form.yaml").write_text(
        f"name: ours\nimage_id: film\npatient_id: person\nlabels: {{columns: {columns}}}\n"
        "vocabulary: [Fracture, {name: Clip, is_pathology: false}]\n"
    )
    chances = rng.random((60, 2)) * 0.5 + present * 0.3
    lines = [f"{k}.png,{chances[k, 0]},{chances[k, 1]}" for k in range(60)]
    (tmp_path / "model.csv").write_text("\n".join(["image,fracture,clip", *lines]))
    table_format = tmp_path / "form.yaml"
    auc = evaluate_files(
        tmp_path / "model.csv", tmp_path / "labels.csv", tmp_path / "out", table_format=table_format, replicates=0
    ).tables["auc"]
    assert auc["finding"].to_list() == ["Fracture", "Clip", "mean"]
    by_finding = dict(auc.select("finding", "auc").iter_rows())
    assert by_finding["mean"] == by_finding["Fracture"] != by_finding["Clip"]
    assert power(tmp_path / "labels.csv", table_format=table_format)["finding"].to_list() == [
        "Fracture",
        "Clip",
        "mean",
    ]


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


@pytest.mark.parametrize("way", ["probability", "rank"])
def test_all_models_as_one(table, labels, good, poor, tmp_path, way):
    result = compare_files([good, poor], labels, tmp_path / "out", ensemble=way, replicates=50)
    name = f"ensemble ({way})"
    files = [frame.sort("Image Index") for frame in (pl.read_csv(good), pl.read_parquet(poor))]
    columns = [file["Infiltration"].to_numpy() for file in files]
    mean = np.mean([rankdata(column) if way == "rank" else column for column in columns], axis=0)
    truth = table.sort("image_id")["Infiltration"].to_numpy()
    measured = result.tables["auc"].filter(approach=name, group="all", finding="Infiltration").row(0, named=True)
    assert measured["auc"] == pytest.approx(roc_auc_score(truth, mean))
    assert measured["lower"] < measured["auc"] < measured["upper"]
    assert {"approach_a": name, "approach_b": "good"} in result.tables["comparison"].select(
        "approach_a", "approach_b"
    ).to_dicts()
    assert (name in set(result.tables["probabilities"]["approach"])) is (way == "probability")  # a rank is none
    write_predictions_report(result)
    assert name in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


def test_an_unknown_ensemble(labels, good, poor, tmp_path):
    with pytest.raises(DataError, match="unknown ensemble 'median'; valid: probability, rank"):
        compare_files([good, poor], labels, tmp_path / "out", ensemble="median")
