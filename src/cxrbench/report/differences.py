"""Which differences between approaches a report shows, and what each says."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from cxrbench.report.palette import META
from cxrbench.report.words import interval, signed

NIL = 0.01
"""AUC differences up to this size are practically nil, here and in ``comparison.csv``."""

INGREDIENTS = (
    ("ft", "ots", "Fine-tuning, not the last layer only"),
    ("ft", "1channel", "Pre-trained, not random weights"),
    ("large", "1channel", "Larger input"),
    ("1channel", "resnet38-1channel", "50 layers, not 38"),
    ("large", "resnet38-large", "50 layers, not 38"),
    ("resnet101-1channel", "1channel", "101 layers, not 50"),
    ("resnet101-large", "large", "101 layers, not 50"),
)
"""The paper's approaches that differ in one ingredient: with it, without it, what it is."""


@dataclass(frozen=True)
class Difference:
    """First approach minus second."""

    first: str
    second: str
    label: str
    topic: str
    """What the pair differs in; empty when that is not the point."""
    value: float | None
    lower: float | None = None
    upper: float | None = None
    p_value: float | None = None
    nil: float | None = None
    """Probability that the difference is practically nil."""
    reason: str | None = None

    @property
    def is_clear(self) -> bool:
        """Whether the interval excludes zero."""
        return self.lower is not None and self.upper is not None and (self.lower > 0 or self.upper < 0)

    def __str__(self) -> str:
        if self.lower is None:
            return signed(self.value)
        return f"{signed(self.value)} ({interval(self.lower, self.upper)})"


def difference(comparison: pl.DataFrame, first: str, second: str, *, label: str, topic: str = "") -> Difference | None:
    """``first`` minus ``second``; None when they were not compared.

    Args:
        comparison: ``comparison.csv`` of one kind of split and one finding.
        first: An approach.
        second: Another.
        label: Short name of the difference.
        topic: What the pair differs in.
    """
    for a, b, sign in ((first, second, 1), (second, first, -1)):
        found = comparison.filter((pl.col("approach_a") == a) & (pl.col("approach_b") == b))
        if found.height:
            row = found.row(0, named=True)
            value, *ends = (None if row[key] is None else sign * row[key] for key in ("difference", "lower", "upper"))
            lower, upper = ends if sign == 1 else reversed(ends)
            nil = row["probability_practically_nil"]
            return Difference(first, second, label, topic, value, lower, upper, row["p_value"], nil, row["reason"])
    return None


def from_best(comparison: pl.DataFrame, ranked: Sequence[str]) -> list[Difference]:
    """The best approach against every other, best first."""
    best, *others = ranked
    found = (difference(comparison, best, other, label=other) for other in others)
    return [one for one in found if one is not None]


def by_ingredient(comparison: pl.DataFrame, approaches: Sequence[str]) -> list[Difference]:
    """What each ingredient changes, other things equal: the pairs that the paper's approaches were made for."""
    pairs = [(f"{name}{META}", name, "Age, sex and view") for name in approaches]
    pairs += [(a + end, b + end, topic) for a, b, topic in INGREDIENTS for end in ("", META)]
    there = set(approaches)
    found = (difference(comparison, a, b, label=f"{a} − {b}", topic=topic) for a, b, topic in pairs if {a, b} <= there)
    return [one for one in found if one is not None]
