"""What each run's probabilities are worth: as they are, and calibrated on the validation images."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl

from cxrbench.evaluate.calibrations import stated_rows
from cxrbench.evaluate.discrimination import known, no_auc_reason
from cxrbench.evaluate.reading import HeldOut
from cxrbench.runs import RunName
from cxrbench.stats import calibration
from cxrbench.stats.bootstrap import BootstrapInterval, Resamples
from cxrbench.stats.calibration import ProbabilityMeasures, probability_measures
from cxrbench.stats.decision import decision_curve, net_benefit
from cxrbench.stats.precision import average_precision
from cxrbench.stats.sorting import ascending

MEASURES = ("average_precision", "brier_skill", "slope", "intercept", "calibration_error")
THRESHOLDS = np.geomspace(0.005, 0.5, 25)
"""Probabilities at which one might act, from a screening to an even chance."""

NO_BOOTSTRAP = "no interval: patients are drawn again where a kind has one split only"
CURVE_BINS = 10
"""Points of a calibration curve."""

RUN_COLUMNS = {"approach": pl.String, "split": pl.String, "kind": pl.String, "seed": pl.Int64}
FINDING_COLUMNS = {**RUN_COLUMNS, "finding": pl.String, "calibration": pl.String}
PROBABILITY_SCHEMA = {
    **FINDING_COLUMNS,
    "prevalence": pl.Float64,
    **{name + end: pl.Float64 for name in MEASURES for end in ("", "_lower", "_upper")},
    "calibration_error_if_perfect": pl.Float64,
    "reason": pl.String,
}
RELIABILITY_SCHEMA = {
    **FINDING_COLUMNS,
    "bin": pl.Int64,
    "probability": pl.Float64,
    "share": pl.Float64,
    "images": pl.Int64,
}
NET_BENEFIT_SCHEMA = {
    **FINDING_COLUMNS,
    "threshold": pl.Float64,
    "net_benefit": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "act_on_all": pl.Float64,
}


def probability_tables(
    truth: HeldOut, run: RunName, probabilities: Mapping[str, np.ndarray], resamples: Resamples | None
) -> dict[str, pl.DataFrame]:
    """Measures, calibration curves and net benefit of one run.

    Args:
        truth: The test images.
        run: The run.
        probabilities: Way of calibration -> (N, L).
        resamples: Of the test images, for intervals on new patients; None for none.
    """
    measures: list[dict[str, Any]] = []
    reliability: list[dict[str, Any]] = []
    benefit: list[dict[str, Any]] = []
    in_order = _rows_in_order(truth, next(iter(probabilities.values())))
    for way, values in probabilities.items():
        for column, finding in enumerate(truth.findings):
            head = {"finding": finding, "calibration": way}
            rows = in_order[column]
            chances, present = values[rows, column], truth.labels[rows, column] == 1
            if reason := no_auc_reason(present) or ("not calibrated" if np.isnan(chances).any() else None):
                measures.append({**head, "reason": reason})
                continue
            own = None if resamples is None else resamples.of_rows(rows)
            measures.append({**head, **_measured(chances, present, truth.codes[rows], own)})
            reliability += [{**head, **row} for row in _reliability(chances, present)]
            benefit += [{**head, **row} for row in _net_benefit(chances, present, own)]
    named = {"approach": run.approach, "split": truth.split, "kind": truth.kind, "seed": run.seed}
    return {
        "probabilities": _frame(measures, named, PROBABILITY_SCHEMA),
        "reliability": _frame(reliability, named, RELIABILITY_SCHEMA),
        "net_benefit": _frame(benefit, named, NET_BENEFIT_SCHEMA),
    }


def _rows_in_order(truth: HeldOut, values: np.ndarray) -> list[np.ndarray]:
    """Each finding's stated images by rising value, so that whatever sorts them again has little to do."""
    stated = [stated_rows(truth, column) for column in range(len(truth.findings))]
    return [rows[ascending(values[rows, column])] for column, rows in enumerate(stated)]


def _frame(rows: list[dict[str, Any]], named: Mapping[str, Any], schema: Mapping[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{**named, **row} for row in rows], schema=dict(schema))


def _measured(
    chances: np.ndarray, present: np.ndarray, patients: np.ndarray, resamples: Resamples | None
) -> dict[str, Any]:
    """All measures as a row; what is not known is null."""
    measured = _points(chances, present, patients)
    # Where the probabilities separate the classes there is no slope, on the sample or on its replicates.
    if resamples is not None and np.isfinite(measured.slope.estimate):
        with np.errstate(invalid="ignore"):  # on some replicates they separate the classes too; these do not count
            measured = probability_measures(chances, present, resamples)
    row: dict[str, Any] = {
        "prevalence": measured.prevalence,
        "calibration_error_if_perfect": known(measured.calibration_error_if_perfect),
        "reason": NO_BOOTSTRAP if resamples is None else measured.brier_skill.reason,
    }
    for name in MEASURES:
        interval: BootstrapInterval = getattr(measured, name)
        row |= {
            name: known(interval.estimate),
            f"{name}_lower": known(interval.lower),
            f"{name}_upper": known(interval.upper),
        }
    return row


def _points(chances: np.ndarray, present: np.ndarray, patients: np.ndarray) -> ProbabilityMeasures:
    """The measures without intervals."""
    return ProbabilityMeasures(
        average_precision=BootstrapInterval(average_precision(chances, present)),
        brier_skill=BootstrapInterval(calibration.brier_skill(chances, present)),
        slope=BootstrapInterval(calibration.calibration_slope(chances, present)),
        intercept=BootstrapInterval(calibration.calibration_intercept(chances, present)),
        calibration_error=BootstrapInterval(calibration.calibration_error(chances, present)),
        calibration_error_if_perfect=calibration.calibration_error_if_perfect(chances, present, patients),
        prevalence=float(present.mean()),
    )


def _reliability(chances: np.ndarray, present: np.ndarray) -> Iterator[dict[str, Any]]:
    """Points of the calibration curve."""
    for place, (probability, share, images) in enumerate(
        zip(*calibration.reliability(chances, present, bins=CURVE_BINS), strict=True)
    ):
        yield {"bin": place, "probability": float(probability), "share": float(share), "images": int(images)}


def _net_benefit(chances: np.ndarray, present: np.ndarray, resamples: Resamples | None) -> Iterator[dict[str, Any]]:
    """Points of the decision curve, with an interval where the patients were drawn again."""
    columns: dict[str, np.ndarray] = {"threshold": THRESHOLDS}
    if resamples is None:
        columns["net_benefit"] = net_benefit(chances, present, THRESHOLDS)
    else:
        curve = decision_curve(chances, present, resamples, thresholds=THRESHOLDS)
        columns |= {"net_benefit": curve.model, "lower": curve.lower, "upper": curve.upper}
    columns["act_on_all"] = present.mean() - (1 - present.mean()) * THRESHOLDS / (1 - THRESHOLDS)
    for point in zip(*columns.values(), strict=True):
        yield dict(zip(columns, map(float, point), strict=True))
