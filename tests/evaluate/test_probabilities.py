"""What probabilities are worth, operating points and ensembles of a study, against independent definitions."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.special import expit
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, confusion_matrix, roc_auc_score, roc_curve

from cxrbench import runs
from cxrbench.config import load_vocabulary
from cxrbench.evaluate import evaluate_study
from cxrbench.runs import RunName
from cxrbench.stats.bootstrap import Resamples, resample_patients
from fake_study import write_fake_study

NIH = load_vocabulary().names
PATHOLOGIES = load_vocabulary().pathologies

RUN = RunName("ft", "resample-1", 0)
COMMON = ("Infiltration", "No Finding")


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    folder = write_fake_study(tmp_path_factory.mktemp("probabilities") / "study", patients=200, official=True)
    evaluate_study(folder, replicates=200)
    return folder


def scored(study: Path, run: RunName, part: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Logits and truth of a run's images."""
    logits = pl.read_parquet(run.folder(study) / f"predictions-{part}.parquet").sort("image_id")
    table = pl.read_parquet(study / runs.TABLE_FILE)
    return logits, logits.select("image_id").join(table, on="image_id", maintain_order="left")


def rows(study: Path, name: str, run: RunName = RUN) -> pl.DataFrame:
    path = study / "results" / name
    frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema_length=None)
    return frame.filter(approach=run.approach, split=run.split, seed=run.seed)


@pytest.mark.parametrize("finding", COMMON)
def test_measures_are_those_of_scikit_learn(study, finding):
    logits, truth = scored(study, RUN, "test")
    chances, present = expit(logits[finding].to_numpy()), truth[finding].to_numpy()
    row = rows(study, "probabilities.csv").filter(finding=finding, calibration="none").row(0, named=True)
    assert row["prevalence"] == pytest.approx(present.mean())
    assert row["average_precision"] == pytest.approx(average_precision_score(present, chances))
    assert row["brier_skill"] == pytest.approx(1 - brier_score_loss(present, chances) / present.var(), rel=1e-5)
    line = LogisticRegression(C=np.inf, tol=1e-10).fit(logits[finding].to_numpy()[:, None].astype(float), present)
    assert row["slope"] == pytest.approx(line.coef_[0, 0], rel=1e-3)


@pytest.mark.parametrize("finding", COMMON)
def test_calibration_is_fitted_on_validation_and_applied_to_test(study, finding):
    record = json.loads((study / "results" / "calibration.json").read_text())["ft/resample-1/seed-0"][finding]
    assert set(record) == {"platt", "temperature", "isotonic"}
    logits, truth = scored(study, RUN, "test")
    chances = expit(record["platt"]["intercept"] + record["platt"]["slope"] * logits[finding].to_numpy())
    row = rows(study, "probabilities.csv").filter(finding=finding, calibration="platt").row(0, named=True)
    present = truth[finding].to_numpy()
    assert row["brier_skill"] == pytest.approx(1 - brier_score_loss(present, chances) / present.var(), rel=1e-5)
    own, own_truth = scored(study, RUN, "val")
    fitted = LogisticRegression(C=np.inf, tol=1e-10).fit(
        own[finding].to_numpy()[:, None].astype(float), own_truth[finding]
    )
    # Platt's targets are smoothed, so slopes are near, not equal.
    assert record["platt"]["slope"] == pytest.approx(fitted.coef_[0, 0], rel=0.25)


def test_calibration_makes_test_probabilities_better(study):
    skill = (
        rows(study, "probabilities.csv")
        .filter(pl.col("finding").is_in(PATHOLOGIES))
        .group_by("calibration")
        .agg(pl.col("brier_skill").mean())
    )
    by_way = dict(skill.iter_rows())
    assert by_way["platt"] > by_way["none"]


def in_replicate(frame: pl.DataFrame, resamples: Resamples, everyone: list[str], b: int) -> pl.DataFrame:
    """The rows of the patients drawn in one replicate, each as often as it was drawn."""
    times = dict(zip(everyone, resamples.multiplicities[:, b].tolist(), strict=True))
    return frame[np.repeat(np.arange(frame.height), [times[name] for name in frame["patient_id"]])]


def test_intervals_average_over_splits_in_every_replicate(study):
    table = pl.read_parquet(study / runs.TABLE_FILE)
    resamples, everyone = resample_patients(table["patient_id"], replicates=200), sorted(table["patient_id"].unique())
    runs_of = [RunName("ft", f"resample-{k}", 0) for k in (1, 2)]
    skills, ranks = [], []
    own = {}
    for run in runs_of:
        logits, truth = scored(study, run, "test")
        other, _ = scored(study, RunName("ft-meta", run.split, 0), "test")
        present, theirs = truth["Infiltration"], other["Infiltration"]
        own[run] = logits.select("patient_id", a="Infiltration").with_columns(present=present, b=theirs)
    for b in range(200):
        drawn = [in_replicate(frame, resamples, everyone, b) for frame in own.values()]
        truths = [frame["present"].to_numpy() for frame in drawn]
        errors = [brier_score_loss(y, expit(frame["a"])) for y, frame in zip(truths, drawn, strict=True)]
        skills.append(np.mean([1 - error / y.var() for error, y in zip(errors, truths, strict=True)]))
        ranks.append(np.mean([spearmanr(frame["a"], frame["b"]).statistic for frame in drawn]))
    summary = pl.read_csv(study / "results" / "probability_summary.csv", infer_schema_length=None)
    is_meant = {"approach": "ft", "kind": "resample", "finding": "Infiltration"}
    row = summary.filter(**is_meant, calibration="none", measure="brier_skill").row(0, named=True)
    assert [row["lower"], row["upper"]] == pytest.approx(np.quantile(skills, [0.025, 0.975]), rel=1e-4)
    assert (row["splits"], row["question"]) == (2, "these models on new patients")
    pair = pl.read_csv(study / "results" / "rank_correlation.csv").filter(kind="resample", finding="Infiltration")
    assert [pair["lower"][0], pair["upper"][0]] == pytest.approx(np.quantile(ranks, [0.025, 0.975]), rel=1e-4)
    assert pair["lower"][0] < pair["spearman"][0] < pair["upper"][0]


def test_a_rare_finding_has_a_value_without_interval(study):
    summary = pl.read_csv(study / "results" / "probability_summary.csv", infer_schema_length=None)
    rare = summary.filter(pl.col("lower").is_null())
    assert rare.height
    assert set(rare["reason"]) == {"fewer than 5 patients, or with or without the finding, in a test set"}
    assert summary.filter(pl.col("finding") == "Infiltration")["lower"].null_count() == 0


def test_a_finding_absent_from_test_has_its_reason(study):
    own = pl.read_csv(study / "results" / "probabilities.csv", infer_schema_length=None)
    absent = own.filter(pl.col("brier_skill").is_null())
    assert (absent["reason"].is_not_null()).all()
    assert own.height == 2 * 3 * 2 * 15  # approaches, splits, ways of calibration, findings


def test_calibration_curve_and_net_benefit_add_up(study):
    _, truth = scored(study, RUN, "test")
    present = truth["Infiltration"].to_numpy()
    curve = rows(study, "reliability.parquet").filter(finding="Infiltration", calibration="platt")
    assert curve["images"].sum() == len(present)
    assert (curve["share"] * curve["images"]).sum() == pytest.approx(present.sum())
    benefit = pl.read_parquet(study / "results" / "net_benefit.parquet").filter(
        approach="ft", kind="official", finding="Infiltration", calibration="platt"
    )
    _, truth = scored(study, RunName("ft", "official", 0), "test")
    present = truth["Infiltration"].to_numpy()
    assert (benefit["lower"] <= benefit["value"]).all()
    assert (benefit["value"] <= benefit["upper"]).all()
    odds = benefit["threshold"] / (1 - benefit["threshold"])
    expected = present.mean() - (1 - present.mean()) * odds
    assert np.allclose(benefit["act_on_all"], expected)


@pytest.mark.parametrize("finding", COMMON)
def test_thresholds_come_from_validation_and_are_judged_on_test(study, finding):
    logits, truth = scored(study, RUN, "val")
    rate, sensitivity, thresholds = roc_curve(truth[finding], logits[finding], drop_intermediate=False)
    best = thresholds[np.argmax(sensitivity - rate)]
    row = rows(study, "operation.csv").filter(finding=finding, rule="youden").row(0, named=True)
    assert row["threshold"] == pytest.approx(best)
    logits, truth = scored(study, RUN, "test")
    (tn, fp), (fn, tp) = confusion_matrix(truth[finding], logits[finding].to_numpy() >= best)
    assert row["sensitivity"] == pytest.approx(tp / (tp + fn))
    assert row["specificity"] == pytest.approx(tn / (tn + fp))
    assert row["ppv"] == pytest.approx(tp / (tp + fp))
    assert row["npv"] == pytest.approx(tn / (tn + fn))
    assert row["sensitivity_lower"] < row["sensitivity"] < row["sensitivity_upper"]


def test_a_rule_keeps_its_promise_on_validation(study):
    logits, truth = scored(study, RUN, "val")
    own = rows(study, "operation.csv").filter(finding="Infiltration")
    threshold = dict(own.select("rule", "threshold").iter_rows())
    flagged = logits["Infiltration"].to_numpy() >= threshold["sensitivity 90 %"]
    assert flagged[truth["Infiltration"].to_numpy() == 1].mean() >= 0.9
    left_alone = logits["Infiltration"].to_numpy() < threshold["specificity 90 %"]
    assert left_alone[truth["Infiltration"].to_numpy() == 0].mean() >= 0.9


def test_ensemble_of_all_approaches_is_the_mean_of_their_probabilities(study):
    ensembles = pl.read_csv(study / "results" / "ensembles.csv").filter(split="resample-1")
    assert ensembles["ensemble"].unique().to_list() == ["all approaches"]
    members = [scored(study, RunName(name, "resample-1", 0), "test") for name in ("ft", "ft-meta")]
    for finding in COMMON:
        mean = np.mean([expit(logits[finding].to_numpy()) for logits, _ in members], axis=0)
        row = ensembles.filter(finding=finding, mean_of="probability").row(0, named=True)
        assert row["members"] == 2
        assert row["auc"] == pytest.approx(roc_auc_score(members[0][1][finding], mean))


def test_seeds_of_an_approach_are_an_ensemble(tmp_path):
    study = write_fake_study(tmp_path / "study", patients=60, resamples=1, approaches=["ft"], seeds=(0, 1, 2))
    evaluate_study(study, replicates=0)
    ensembles = pl.read_csv(study / "results" / "ensembles.csv")
    assert ensembles.select("ensemble", "members").unique().rows() == [("seeds of ft", 3)]
    assert ensembles.filter(mean_of="rank").height == len(NIH) + 1
    summary = pl.read_csv(study / "results" / "probability_summary.csv", infer_schema_length=None)
    assert summary["lower"].null_count() == summary.height
    assert set(summary["reason"]) == {"patients were not drawn again"}
