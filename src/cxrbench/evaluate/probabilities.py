"""Worth of each run's probabilities: as they are, and calibrated on the validation images."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from cxrbench.evaluate.columns import (
    APPROACH,
    CALIBRATION,
    INTERVAL,
    KIND,
    ONE_FINDING,
    QUESTION,
    REASON,
    RUN,
    SEEN,
    SPLITS,
    count,
    known,
    names_of,
    number,
    text,
)
from cxrbench.evaluate.held_out import HeldOut, no_auc_reason
from cxrbench.evaluate.replicates import NO_REPLICATES, Drawn, Key, Measures, interval
from cxrbench.results import ResultTable
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

RUN_FINDING = (*RUN, ONE_FINDING, CALIBRATION)
PROBABILITIES_TABLE = ResultTable(
    "probabilities.csv",
    "One row per run, finding and way of calibration.",
    (
        *RUN_FINDING,
        number(PREVALENCE, "Share of test images with the finding, 0 to 1."),
        number("average_precision", "Area under the precision-recall curve, 0 to 1; compare it with the prevalence."),
        number("brier_skill", "1 - Brier score / that of the prevalence: 0 is useless, 1 perfect."),
        number("slope", "Slope of the truth on the logit: below 1 the probabilities are too extreme."),
        number("intercept", "Intercept beside a slope of one: above 0 the finding is commoner than they say."),
        number("calibration_error", "Expected calibration error over 15 bins of equally many images, 0 to 1."),
        number("calibration_error_if_perfect", "What a perfectly calibrated model would show on this sample, 0 to 1."),
        REASON,
        SEEN,
    ),
)
RELIABILITY_TABLE = ResultTable(
    "reliability.parquet",
    "One point of a calibration curve: a bin of equally many images.",
    (
        *RUN_FINDING,
        count("bin", "Number of the bin, from 0, by rising probability."),
        number("probability", "Mean probability of its images."),
        number("share", "Share of its images with the finding."),
        count("images", "Images in the bin."),
        SEEN,
    ),
)
AVERAGED = (APPROACH, KIND, ONE_FINDING, CALIBRATION)
ESTIMATED = (number("value", "Mean over the splits; seeds on one split are averaged first."), *INTERVAL, REASON)
PROBABILITY_SUMMARY_TABLE = ResultTable(
    "probability_summary.csv",
    "One row per approach, kind of split, finding, way of calibration and measure.",
    (*AVERAGED, text("measure", "Measure, a column of `probabilities.csv`."), SPLITS, QUESTION, *ESTIMATED, SEEN),
)
NET_BENEFIT_TABLE = ResultTable(
    "net_benefit.parquet",
    "One point of a decision curve; values are in true positives per image.",
    (
        *AVERAGED,
        number("threshold", "Probability from which one acts, 0.005 to 0.5."),
        SPLITS,
        QUESTION,
        *ESTIMATED,
        number("act_on_all", "Net benefit of acting on every image."),
        SEEN,
    ),
)
_AT = tuple(map(str, THRESHOLDS.tolist()))
"""Net benefit is named by its threshold."""


@dataclass(frozen=True)
class RunProbabilities:
    """Worth of one run's probabilities."""

    tables: dict[str, pl.DataFrame]
    """``probabilities`` and ``reliability``."""
    measures: Measures
    """Approach, kind, finding, way of calibration and name -> measure."""


def run_probabilities(
    truth: HeldOut, run: RunName, probabilities: Mapping[str, np.ndarray], resamples: Resamples | None
) -> RunProbabilities:
    """Return measures, calibration curves and net benefit of one run.

    Args:
        truth: The test images.
        run: Name of the run.
        probabilities: Way of calibration -> (N, L).
        resamples: Draws of the test patients, for intervals on new patients; None for none.
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
        "probabilities": PROBABILITIES_TABLE.frame({**named, **row} for row in measures),
        "reliability": RELIABILITY_TABLE.frame({**named, **row} for row in reliability),
    }
    return RunProbabilities(tables, measured)


def summary_tables(averages: Measures) -> dict[str, pl.DataFrame]:
    """Return measures and net benefit with their intervals.

    Args:
        averages: ``RunProbabilities.measures``, averaged over the seeds of an approach, then over splits.
    """
    summary: list[dict[str, Any]] = []
    benefit: list[dict[str, Any]] = []
    for (*head, measure), mean in averages.items():
        row = dict(zip(names_of(AVERAGED), head, strict=True)) | asdict(interval(mean)) | {"splits": mean.number}
        if measure in MEASURES:
            summary.append(row | {"measure": measure})
        elif measure in _AT:
            on_all = act_on_all(averages[*head, PREVALENCE].value, float(measure))
            benefit.append(row | {"threshold": float(measure), "act_on_all": on_all.item()})
    return {
        "probability_summary": PROBABILITY_SUMMARY_TABLE.frame(summary),
        "net_benefit": NET_BENEFIT_TABLE.frame(benefit),
    }


def _rows_in_order(truth: HeldOut, values: np.ndarray) -> list[np.ndarray]:
    """Return each finding's stated images by rising value, so that whatever sorts them again has little to do."""
    stated = [truth.stated_rows(column) for column in range(len(truth.findings))]
    return [rows[ascending(values[rows, column])] for column, rows in enumerate(stated)]


def _drawn(chances: np.ndarray, present: np.ndarray, resamples: Resamples | None) -> dict[str, Drawn]:
    """Return each measure that the sample has; its replicates are NaN where too few patients are drawn from."""
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
    """Say if either class has too few patients for an interval."""
    return any(len(np.unique(resamples.code[rows])) < MIN_PATIENTS for rows in (present, ~present))


def _reliability(chances: np.ndarray, present: np.ndarray) -> Iterator[dict[str, Any]]:
    """Yield the points of the calibration curve."""
    for place, (probability, share, images) in enumerate(
        zip(*calibration.reliability(chances, present, bins=CURVE_BINS), strict=True)
    ):
        yield {"bin": place, "probability": float(probability), "share": float(share), "images": int(images)}
