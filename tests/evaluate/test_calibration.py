"""Calibrators and thresholds come from validation images and are judged on test images."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, confusion_matrix, roc_curve

from cxrbench import runs
from cxrbench.config import load_vocabulary
from cxrbench.runs import RunName

PATHOLOGIES = load_vocabulary().pathologies

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
def test_calibration_is_fitted_on_validation_and_applied_to_test(larger, finding):
    record = json.loads((larger / "results" / "calibration.json").read_text())["ft/resample-1/seed-0"][finding]
    assert set(record) == {"platt", "temperature", "isotonic"}
    logits, truth = scored(larger, RUN, "test")
    chances = expit(record["platt"]["intercept"] + record["platt"]["slope"] * logits[finding].to_numpy())
    row = rows(larger, "probabilities.csv").filter(finding=finding, calibration="platt").row(0, named=True)
    present = truth[finding].to_numpy()
    assert row["brier_skill"] == pytest.approx(1 - brier_score_loss(present, chances) / present.var(), rel=1e-5)
    own, own_truth = scored(larger, RUN, "val")
    fitted = LogisticRegression(C=np.inf, tol=1e-10).fit(
        own[finding].to_numpy()[:, None].astype(float), own_truth[finding]
    )
    # Platt's targets are smoothed, so slopes are near, not equal.
    assert record["platt"]["slope"] == pytest.approx(fitted.coef_[0, 0], rel=0.25)


def test_calibration_makes_test_probabilities_better(larger):
    skill = (
        rows(larger, "probabilities.csv")
        .filter(pl.col("finding").is_in(PATHOLOGIES))
        .group_by("calibration")
        .agg(pl.col("brier_skill").mean())
    )
    by_way = dict(skill.iter_rows())
    assert by_way["platt"] > by_way["none"]


@pytest.mark.parametrize("finding", COMMON)
def test_thresholds_come_from_validation_and_are_judged_on_test(larger, finding):
    logits, truth = scored(larger, RUN, "val")
    rate, sensitivity, thresholds = roc_curve(truth[finding], logits[finding], drop_intermediate=False)
    best = thresholds[np.argmax(sensitivity - rate)]
    row = rows(larger, "operation.csv").filter(finding=finding, rule="youden").row(0, named=True)
    assert row["threshold"] == pytest.approx(best)
    logits, truth = scored(larger, RUN, "test")
    (tn, fp), (fn, tp) = confusion_matrix(truth[finding], logits[finding].to_numpy() >= best)
    assert row["sensitivity"] == pytest.approx(tp / (tp + fn))
    assert row["specificity"] == pytest.approx(tn / (tn + fp))
    assert row["ppv"] == pytest.approx(tp / (tp + fp))
    assert row["npv"] == pytest.approx(tn / (tn + fn))
    assert row["sensitivity_lower"] < row["sensitivity"] < row["sensitivity_upper"]


def test_a_rule_keeps_its_promise_on_validation(larger):
    logits, truth = scored(larger, RUN, "val")
    own = rows(larger, "operation.csv").filter(finding="Infiltration")
    threshold = dict(own.select("rule", "threshold").iter_rows())
    flagged = logits["Infiltration"].to_numpy() >= threshold["sensitivity 90 %"]
    assert flagged[truth["Infiltration"].to_numpy() == 1].mean() >= 0.9
    left_alone = logits["Infiltration"].to_numpy() < threshold["specificity 90 %"]
    assert left_alone[truth["Infiltration"].to_numpy() == 0].mean() >= 0.9
