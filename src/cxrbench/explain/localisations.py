"""From the scores of single maps to means with intervals for new patients."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import polars as pl

from cxrbench.evaluate.columns import known
from cxrbench.evaluate.explanations import ALL, CENTRE, ENERGY, IOU, IOU_OVER, POINTING
from cxrbench.explain.localising import iou_column
from cxrbench.stats.localisation import IOU_THRESHOLDS, PEAK_LEVELS
from cxrbench.stats.means import MeanEstimate, clustered_mean, clustered_proportion

RUN = ("approach", "split", "seed")
MEANS = (IOU, ENERGY)
"""Measures that are no shares of films."""
MEASURES: tuple[tuple[str, float | None], ...] = (
    (POINTING, None),
    *((name, level) for level in PEAK_LEVELS for name in (IOU, *(f"{IOU_OVER}{least:g}" for least in IOU_THRESHOLDS))),
    (ENERGY, None),
)
"""With the level of the map that each is measured at."""


def localisation_table(scores: pl.DataFrame) -> pl.DataFrame:
    """Means over the films of each run, finding and method, with intervals for new patients.

    Args:
        scores: Rows of ``score_rows``.

    Returns:
        One row per run, finding (or ``all``), method or baseline, and measure: ``pointing`` (share of hits), ``iou``
        (mean) and ``iou>`` a threshold (share of films), both at each ``level`` of the map, and ``energy`` (mean);
        ``over_centre`` is what it is more than the centre map on the same films.
    """
    rows = [
        {**dict(zip(RUN, run, strict=True)), "finding": finding, "method": method, **row}
        for run, of_run in _groups(scores, *RUN)
        for (finding,), of_finding in [*_groups(of_run, "finding"), ((ALL,), of_run)]
        for (method,), own in _groups(of_finding, "method")
        for row in _measures(own, of_finding.filter(pl.col("method") == CENTRE))
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def _groups(table: pl.DataFrame, *keys: str) -> list[tuple[tuple[Any, ...], pl.DataFrame]]:
    """Rows with equal keys, in order of appearance."""
    return list(table.partition_by(keys, as_dict=True, maintain_order=True).items())


def _measures(own: pl.DataFrame, centre: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Every measure of one method on one finding; the centre map's rows are of the same films, in the same order."""
    patients = own["patient_id"].to_numpy()
    for measure, level in MEASURES:
        ours, theirs = (_values(rows, measure, level) for rows in (own, centre))
        more = _within(clustered_mean(ours - theirs, patients), -1)
        yield {
            "measure": measure,
            "level": level,
            **estimate_columns(_estimate(ours, patients, is_share=measure not in MEANS)),
            "over_centre": more.estimate,
            "over_centre_lower": known(more.lower),
            "over_centre_upper": known(more.upper),
        }


def _values(own: pl.DataFrame, measure: str, level: float | None) -> np.ndarray:
    """(N,) of one measure, one per film."""
    column = {POINTING: "is_hit", ENERGY: "energy"}[measure] if level is None else iou_column(level)
    values = own[column].cast(pl.Float64).to_numpy()
    return (values > float(measure.removeprefix(IOU_OVER))).astype(float) if measure.startswith(IOU_OVER) else values


def _estimate(values: np.ndarray, patients: np.ndarray, *, is_share: bool) -> MeanEstimate:
    """Mean of one measure; that of zeros and ones has Wilson's interval, no share leaves 0 to 1."""
    if is_share:
        return clustered_proportion(values == 1, np.ones(len(values), bool), patients)
    return _within(clustered_mean(values, patients), 0)


def _within(mean: MeanEstimate, least: float) -> MeanEstimate:
    """A mean of what lies in ``least`` to 1; films that all score the same do not say how sure it is."""
    if mean.std_error == 0:
        return replace(mean, std_error=np.nan, lower=np.nan, upper=np.nan, reason="all films score the same")
    return replace(mean, lower=float(np.clip(mean.lower, least, 1)), upper=float(np.clip(mean.upper, least, 1)))


def estimate_columns(estimate: MeanEstimate) -> dict[str, Any]:
    """An estimate as columns; what is not known is null."""
    values = asdict(estimate)
    return {name: known(value) if isinstance(value, float) else value for name, value in values.items()}
