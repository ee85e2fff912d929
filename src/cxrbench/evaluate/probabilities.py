"""What each run's probabilities are worth: as they are, and calibrated on the validation images."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from cxrbench.evaluate.calibrations import stated_rows
from cxrbench.evaluate.discrimination import known, no_auc_reason
from cxrbench.evaluate.reading import HeldOut
from cxrbench.evaluate.replicates import NO_REPLICATES, Drawn, Key, Measures, interval
from cxrbench.runs import RunName
from cxrbench.stats import calibration
from cxrbench.stats.bootstrap import Resamples
from cxrbench.stats.calibration import MEASURES
from cxrbench.stats.clustered import MIN_PATIENTS
from cxrbench.stats.decision import act_on_all, net_benefit, net_benefit_replicates
from cxrbench.stats.sorting import ascending

THRESHOLDS = np.geomspace(0.005, 0.5, 25)
"""Probabilities at which one might act, from a screening to an even chance."""

PREVALENCE = "prevalence"
NO_LINE = "no slope or intercept: the probabilities separate the classes or are all equal"
CURVE_BINS = 10
"""Points of a calibration curve."""

RUN_COLUMNS = {"approach": pl.String, "split": pl.String, "kind": pl.String, "seed": pl.Int64}
FINDING_COLUMNS = {**RUN_COLUMNS, "finding": pl.String, "calibration": pl.String}
PROBABILITY_SCHEMA = {
    **FINDING_COLUMNS,
    PREVALENCE: pl.Float64,
    **dict.fromkeys(MEASURES, pl.Float64),
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
_AVERAGED_COLUMNS = dict.fromkeys(("approach", "kind", "finding", "calibration"), pl.String)
_INTERVAL_COLUMNS = {
    "splits": pl.Int64,
    "question": pl.String,
    "value": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "reason": pl.String,
}
SUMMARY_SCHEMA = {**_AVERAGED_COLUMNS, "measure": pl.String, **_INTERVAL_COLUMNS}
NET_BENEFIT_SCHEMA = {
    **_AVERAGED_COLUMNS,
    "threshold": pl.Float64,
    **_INTERVAL_COLUMNS,
    "act_on_all": pl.Float64,
}
_AT = tuple(map(str, THRESHOLDS.tolist()))
"""Net benefit is named by its threshold."""


@dataclass(frozen=True)
class RunProbabilities:
    """What one run's probabilities are worth."""

    tables: dict[str, pl.DataFrame]
    """``probabilities`` and ``reliability``."""
    measures: Measures
    """Of approach, kind, finding, way of calibration and name."""


def run_probabilities(
    truth: HeldOut, run: RunName, probabilities: Mapping[str, np.ndarray], resamples: Resamples | None
) -> RunProbabilities:
    """Measures, calibration curves and net benefit of one run.

    Args:
        truth: The test images.
        run: The run.
        probabilities: Way of calibration -> (N, L).
        resamples: Of the test images, for intervals on new patients; None for none.
    """
    measures: list[dict[str, Any]] = []
    reliability: list[dict[str, Any]] = []
    measured: dict[Key, Drawn] = {}
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
            found = _drawn(chances, present, own)
            points = {name: found[name].value for name in (PREVALENCE, *MEASURES) if name in found}
            if_perfect = calibration.calibration_error_if_perfect(chances, present, truth.codes[rows])
            reason = None if len(points) > len(MEASURES) else NO_LINE
            measures.append({**head, **points, "calibration_error_if_perfect": known(if_perfect), "reason": reason})
            reliability += [{**head, **row} for row in _reliability(chances, present)]
            measured |= {(run.approach, truth.kind, finding, way, name): each for name, each in found.items()}
    named = {"approach": run.approach, "split": truth.split, "kind": truth.kind, "seed": run.seed}
    tables = {
        "probabilities": _frame(measures, named, PROBABILITY_SCHEMA),
        "reliability": _frame(reliability, named, RELIABILITY_SCHEMA),
    }
    return RunProbabilities(tables, measured)


def summary_tables(averages: Measures) -> dict[str, pl.DataFrame]:
    """Measures and net benefit with their intervals.

    Args:
        averages: ``RunProbabilities.measures``, averaged over the seeds of an approach, then over splits.
    """
    summary: list[dict[str, Any]] = []
    benefit: list[dict[str, Any]] = []
    for (*head, measure), mean in averages.items():
        row = dict(zip(_AVERAGED_COLUMNS, head, strict=True)) | asdict(interval(mean)) | {"splits": mean.number}
        if measure in MEASURES:
            summary.append(row | {"measure": measure})
        elif measure in _AT:
            on_all = act_on_all(averages[*head, PREVALENCE].value, float(measure))
            benefit.append(row | {"threshold": float(measure), "act_on_all": on_all.item()})
    return {
        "probability_summary": pl.DataFrame(summary, schema=SUMMARY_SCHEMA),
        "net_benefit": pl.DataFrame(benefit, schema=NET_BENEFIT_SCHEMA),
    }


def _rows_in_order(truth: HeldOut, values: np.ndarray) -> list[np.ndarray]:
    """Each finding's stated images by rising value, so that whatever sorts them again has little to do."""
    stated = [stated_rows(truth, column) for column in range(len(truth.findings))]
    return [rows[ascending(values[rows, column])] for column, rows in enumerate(stated)]


def _frame(rows: list[dict[str, Any]], named: Mapping[str, Any], schema: Mapping[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{**named, **row} for row in rows], schema=dict(schema))


def _drawn(chances: np.ndarray, present: np.ndarray, resamples: Resamples | None) -> dict[str, Drawn]:
    """Each measure that the sample has; its replicates are NaN where too few patients are drawn from."""
    values = {name: of_sample(chances, present) for name, (of_sample, _) in MEASURES.items()}
    # Where the probabilities separate the classes there is no slope, on the sample or on its replicates.
    values = {name: value for name, value in values.items() if np.isfinite(value)}
    benefit = dict(zip(_AT, net_benefit(chances, present, THRESHOLDS), strict=True))
    replicates = dict.fromkeys((*values, *benefit), NO_REPLICATES)
    if resamples is not None:
        blank = np.float32(np.nan if _has_few_patients(present, resamples) else 0)
        with np.errstate(invalid="ignore"):  # on some replicates they separate the classes too; these do not count
            of_measure = {name: MEASURES[name][1](chances, present, resamples) for name in values}
        of_curve = net_benefit_replicates(chances, present, resamples, thresholds=THRESHOLDS).T
        replicates = {
            name: blank + drawn.astype(np.float32)
            for name, drawn in (*of_measure.items(), *zip(benefit, of_curve, strict=True))
        }
    drawn = {name: Drawn(float(value), replicates[name]) for name, value in (values | benefit).items()}
    return drawn | {PREVALENCE: Drawn(float(present.mean()))}


def _has_few_patients(present: np.ndarray, resamples: Resamples) -> bool:
    """Whether either class has too few patients for an interval."""
    return any(len(np.unique(resamples.code[rows])) < MIN_PATIENTS for rows in (present, ~present))


def _reliability(chances: np.ndarray, present: np.ndarray) -> Iterator[dict[str, Any]]:
    """Points of the calibration curve."""
    for place, (probability, share, images) in enumerate(
        zip(*calibration.reliability(chances, present, bins=CURVE_BINS), strict=True)
    ):
        yield {"bin": place, "probability": float(probability), "share": float(share), "images": int(images)}
