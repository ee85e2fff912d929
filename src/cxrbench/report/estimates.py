"""One measure of a run with its interval, or of several runs as they are."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from cxrbench.report.tables.table import Cell
from cxrbench.report.words import NOTHING, decimal, interval, signed


@dataclass(frozen=True)
class Estimate:
    """A measure.

    Attributes:
        values: Of each run.
        lower: Lower end of the 95 % interval for new patients; None of several runs, which share patients.
        upper: Upper end.
        reason: Why one run has no interval.
    """

    values: tuple[float, ...]
    lower: float | None = None
    upper: float | None = None
    reason: str = ""

    @property
    def value(self) -> float:
        """The mean over the runs."""
        return float(np.mean(self.values))

    def said(self, digits: int) -> str:
        """In words: the value and how sure it is."""
        return (
            f"{decimal(self.value, digits)} ({detail})"
            if (detail := self.detail(digits))
            else decimal(self.value, digits)
        )

    def detail(self, digits: int) -> str:
        """Interval, or SD over the runs."""
        if len(self.values) > 1:
            return f"± {decimal(float(np.std(self.values, ddof=1)), digits)}"
        return "" if self.lower is None else interval(self.lower, self.upper, digits)


def estimate_of(rows: pl.DataFrame, column: str = "estimate", *, prefix: str = "") -> Estimate | None:
    """A measure of one row per run; None where no run has it.

    Args:
        rows: With the column, and ``lower`` and ``upper``.
        column: Of the measure.
        prefix: Of the names of the interval's ends.
    """
    known = rows.drop_nulls(column)
    if known.height != 1:
        return Estimate(tuple(known[column])) if known.height else None
    row = known.row(0, named=True)
    return Estimate((row[column],), row[f"{prefix}lower"], row[f"{prefix}upper"], row["reason"] or "")


def estimate_cell(estimate: Estimate | None, *, digits: int, is_difference: bool = False) -> Cell:
    """As a cell of a table; a difference whose interval is above zero is marked."""
    if estimate is None:
        return Cell(NOTHING)
    shown = (signed if is_difference else decimal)(estimate.value, digits)
    is_clear = is_difference and estimate.lower is not None and estimate.lower > 0
    return Cell(shown, estimate.detail(digits), is_best=is_clear)
