"""What the best approach's probabilities are worth."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from cxrbench.evaluate.calibrations import AS_THEY_ARE, PLATT
from cxrbench.evaluate.probabilities import NO_LINE
from cxrbench.report.results import Results
from cxrbench.report.tables.table import Cell, Row, Table
from cxrbench.report.words import NOTHING, decimal, interval, percent, title_of

COLUMNS = {
    "average_precision": "Average precision",
    "brier_skill": "Brier skill",
    "slope": "Slope",
    "intercept": "Intercept",
    "calibration_error": "Calibration error",
}
WAYS = {AS_THEY_ARE: "as they are", PLATT: "calibrated on validation images"}


def probability_table(results: Results, way: str) -> Table:
    """Measures of the best approach's probabilities, with intervals for new patients.

    Args:
        results: Of one kind of split.
        way: Of calibration.
    """
    best = results.ranked[0]
    is_meant = (pl.col("approach") == best) & (pl.col("calibration") == way)
    points = results.tables.probabilities.filter(is_meant)
    summary = results.tables.probability_summary.filter(is_meant)
    averaged = "" if results.splits == 1 else "means over the splits, "
    return Table(
        name=f"probabilities-{way}-{results.kind}",
        caption=f"Probabilities of {best}, {WAYS[way]}: {averaged}below them 95 % intervals for new patients "
        f"by patient bootstrap. {results.title}.",
        columns=("Finding", "Prevalence", *COLUMNS.values()),
        rows=tuple(
            _row(finding, *(table.filter(pl.col("finding") == finding) for table in (points, summary)))
            for finding in results.findings
        ),
        note="Brier skill: 0 is no better than the prevalence, 1 perfect. Slope: below 1 they are too extreme. "
        "Intercept: above 0 the finding is commoner than they say. Calibration error: in brackets, what a perfectly "
        "calibrated model would show on as many images.",
    )


def _row(finding: str, points: pl.DataFrame, summary: pl.DataFrame) -> Row:
    by_measure = {row["measure"]: row for row in summary.iter_rows(named=True)}
    if not by_measure:
        reasons = ", ".join(points["reason"].drop_nulls().unique().sort())
        return Row(title_of(finding), tuple(Cell(NOTHING, reason=reasons) for _ in range(1 + len(COLUMNS))))
    prevalence, if_perfect = (_mean(points[name]) for name in ("prevalence", "calibration_error_if_perfect"))
    brackets = {"calibration_error": f" ({decimal(if_perfect)})"}
    cells = (_cell(by_measure.get(name), brackets.get(name, "")) for name in COLUMNS)
    return Row(title_of(finding), (Cell(NOTHING if prevalence is None else percent(prevalence)), *cells))


def _cell(row: Mapping[str, Any] | None, brackets: str) -> Cell:
    """A value and its interval."""
    if row is None:
        return Cell(NOTHING, reason=NO_LINE)
    if row["lower"] is None:
        return Cell(decimal(row["value"]) + brackets, reason=row["reason"])
    return Cell(decimal(row["value"]) + brackets, interval(row["lower"], row["upper"]))


def _mean(column: pl.Series) -> float | None:
    """Mean over splits and seeds of what is known."""
    values = column.drop_nulls().to_numpy()
    return float(values.mean()) if values.size else None
