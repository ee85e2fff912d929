"""What probabilities are worth, against independent definitions."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.special import expit
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss

from cxrbench import runs
from cxrbench.runs import RunName
from cxrbench.stats.bootstrap import Resamples, resample_patients

RUN = RunName("ft", "resample-1", 0)
COMMON = ("Infiltration", "No Finding")


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
def test_measures_are_those_of_scikit_learn(larger, finding):
    logits, truth = scored(larger, RUN, "test")
    chances, present = expit(logits[finding].to_numpy()), truth[finding].to_numpy()
    row = rows(larger, "probabilities.csv").filter(finding=finding, calibration="none").row(0, named=True)
    assert row["prevalence"] == pytest.approx(present.mean())
    assert row["average_precision"] == pytest.approx(average_precision_score(present, chances))
    assert row["brier_skill"] == pytest.approx(1 - brier_score_loss(present, chances) / present.var(), rel=1e-5)
    line = LogisticRegression(C=np.inf, tol=1e-10).fit(logits[finding].to_numpy()[:, None].astype(float), present)
    assert row["slope"] == pytest.approx(line.coef_[0, 0], rel=1e-3)


def in_replicate(frame: pl.DataFrame, resamples: Resamples, everyone: list[str], b: int) -> pl.DataFrame:
    """The rows of the patients drawn in one replicate, each as often as it was drawn."""
    times = dict(zip(everyone, resamples.multiplicities[:, b].tolist(), strict=True))
    return frame[np.repeat(np.arange(frame.height), [times[name] for name in frame["patient_id"]])]


def test_intervals_average_over_splits_in_every_replicate(larger):
    table = pl.read_parquet(larger / runs.TABLE_FILE)
    resamples, everyone = resample_patients(table["patient_id"], replicates=200), sorted(table["patient_id"].unique())
    runs_of = [RunName("ft", f"resample-{k}", 0) for k in (1, 2)]
    skills, ranks = [], []
    own = {}
    for run in runs_of:
        logits, truth = scored(larger, run, "test")
        other, _ = scored(larger, RunName("ft-meta", run.split, 0), "test")
        present, theirs = truth["Infiltration"], other["Infiltration"]
        own[run] = logits.select("patient_id", a="Infiltration").with_columns(present=present, b=theirs)
    for b in range(200):
        drawn = [in_replicate(frame, resamples, everyone, b) for frame in own.values()]
        truths = [frame["present"].to_numpy() for frame in drawn]
        errors = [brier_score_loss(y, expit(frame["a"])) for y, frame in zip(truths, drawn, strict=True)]
        skills.append(np.mean([1 - error / y.var() for error, y in zip(errors, truths, strict=True)]))
        ranks.append(np.mean([spearmanr(frame["a"], frame["b"]).statistic for frame in drawn]))
    summary = pl.read_csv(larger / "results" / "probability_summary.csv", infer_schema_length=None)
    is_meant = {"approach": "ft", "kind": "resample", "finding": "Infiltration"}
    row = summary.filter(**is_meant, calibration="none", measure="brier_skill").row(0, named=True)
    assert [row["lower"], row["upper"]] == pytest.approx(np.quantile(skills, [0.025, 0.975]), rel=1e-4)
    assert (row["splits"], row["question"]) == (2, "these models on new patients")
    pair = pl.read_csv(larger / "results" / "rank_correlation.csv").filter(kind="resample", finding="Infiltration")
    assert [pair["lower"][0], pair["upper"][0]] == pytest.approx(np.quantile(ranks, [0.025, 0.975]), rel=1e-4)
    assert pair["lower"][0] < pair["spearman"][0] < pair["upper"][0]


def test_a_rare_finding_has_a_value_without_interval(larger):
    summary = pl.read_csv(larger / "results" / "probability_summary.csv", infer_schema_length=None)
    rare = summary.filter(pl.col("lower").is_null())
    assert rare.height
    assert set(rare["reason"]) == {"fewer than 5 patients, or with or without the finding, in a test set"}
    assert summary.filter(pl.col("finding") == "Infiltration")["lower"].null_count() == 0


def test_a_finding_absent_from_test_has_its_reason(larger):
    own = pl.read_csv(larger / "results" / "probabilities.csv", infer_schema_length=None)
    absent = own.filter(pl.col("brier_skill").is_null())
    assert (absent["reason"].is_not_null()).all()
    assert own.height == 2 * 3 * 2 * 15  # approaches, splits, ways of calibration, findings


def test_calibration_curve_and_net_benefit_add_up(larger):
    _, truth = scored(larger, RUN, "test")
    present = truth["Infiltration"].to_numpy()
    curve = rows(larger, "reliability.parquet").filter(finding="Infiltration", calibration="platt")
    assert curve["images"].sum() == len(present)
    assert (curve["share"] * curve["images"]).sum() == pytest.approx(present.sum())
    benefit = pl.read_parquet(larger / "results" / "net_benefit.parquet").filter(
        approach="ft", kind="official", finding="Infiltration", calibration="platt"
    )
    _, truth = scored(larger, RunName("ft", "official", 0), "test")
    present = truth["Infiltration"].to_numpy()
    assert (benefit["lower"] <= benefit["value"]).all()
    assert (benefit["value"] <= benefit["upper"]).all()
    odds = benefit["threshold"] / (1 - benefit["threshold"])
    expected = present.mean() - (1 - present.mean()) * odds
    assert np.allclose(benefit["act_on_all"], expected)
