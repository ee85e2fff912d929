"""Which differences a report shows, and what each says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from cxrbench.report.palette import META
from cxrbench.report.words import group_title, interval, signed

NIL = 0.01
"""AUC differences up to this size are practically nil, here and in ``comparison.csv``."""

LEVEL = 0.05

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

KINDS_OF_GROUPS = {"view": "View position", "sex": "Sex", "age": "Age"}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing minus another."""

    label: str
    topic: str = ""
    """What the pair differs in; empty when that is not the point."""
    second: str = ""
    """Name of the other."""
    value: float | None
    lower: float | None = None
    upper: float | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    detectable: float | None = None
    """The smallest difference that would be detected."""
    nil: float | None = None
    """Probability that the difference is practically nil."""

    @property
    def is_clear(self) -> bool:
        """Whether the interval excludes zero, and so does the test that allows for all comparisons, if there is one."""
        if self.lower is None or self.upper is None or self.lower <= 0 <= self.upper:
            return False
        return self.p_adjusted is None or self.p_adjusted < LEVEL

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
    for a, b, is_turned in ((first, second, False), (second, first, True)):
        found = comparison.filter((pl.col("approach_a") == a) & (pl.col("approach_b") == b))
        if found.height:
            row = found.row(0, named=True)
            value, lower, upper = _turned(row) if is_turned else (row["difference"], row["lower"], row["upper"])
            return Difference(
                label=label,
                topic=topic,
                second=second,
                value=value,
                lower=lower,
                upper=upper,
                p_value=row["p_value"],
                p_adjusted=row["p_adjusted"],
                detectable=row["smallest_detectable"],
                nil=row["probability_practically_nil"],
            )
    return None


def _turned(row: Mapping[str, Any]) -> tuple[float | None, float | None, float | None]:
    """Difference and interval the other way round."""
    value, lower, upper = (None if row[key] is None else -row[key] for key in ("difference", "upper", "lower"))
    return value, lower, upper


def from_best(comparison: pl.DataFrame, ranked: Sequence[str]) -> list[Difference]:
    """The best approach against every other, best first."""
    found = (difference(comparison, ranked[0], other, label=other) for other in ranked[1:])
    return [one for one in found if one is not None]


def by_ingredient(comparison: pl.DataFrame, approaches: Sequence[str]) -> list[Difference]:
    """What each ingredient changes, other things equal: the pairs that the paper's approaches were made for."""
    pairs = [(f"{name}{META}", name, "Age, sex and view") for name in approaches]
    pairs += [(a + end, b + end, topic) for a, b, topic in INGREDIENTS for end in ("", META)]
    there = set(approaches)
    found = (difference(comparison, a, b, label=f"{a} − {b}", topic=topic) for a, b, topic in pairs if {a, b} <= there)
    return [one for one in found if one is not None]


def gaps_of(gaps: pl.DataFrame, approach: str, *, enough: int, has_intervals: bool) -> list[Difference]:
    """One approach's gaps between groups, averaged over the splits; with an interval where there is one model.

    Args:
        gaps: ``gaps.csv`` of one kind of split and one finding.
        approach: Its name.
        enough: Pathologies that must be in both groups.
        has_intervals: Whether there is one model.
    """
    own = gaps.filter(pl.col("approach") == approach, pl.col("findings_counted") >= enough).drop_nulls("difference")
    rows = []
    for (one, other), of_pair in own.group_by("group_a", "group_b", maintain_order=True):
        first = of_pair.row(0, named=True)
        lower, upper = (first["lower"], first["upper"]) if has_intervals else (None, None)
        rows.append(
            Difference(
                label=f"{group_title(str(one))} − {group_title(str(other))}",
                topic=KINDS_OF_GROUPS.get(str(one).partition("=")[0], ""),
                value=float(of_pair["difference"].to_numpy().mean()),
                lower=lower,
                upper=upper,
            )
        )
    return rows
