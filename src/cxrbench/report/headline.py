"""The study in a sentence: which approach is best, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from cxrbench.report.differences import Difference, from_best
from cxrbench.report.words import decimal, interval, listed, plus_minus

MEAN = "mean"


@dataclass(frozen=True)
class Headline:
    """What a hurried reader takes away."""

    best: str
    mean: float
    sd: float | None
    splits: int
    verdict: str
    """Whether the best is really better, in words."""
    is_clear: bool
    """Whether the interval against the runner-up excludes zero."""

    @property
    def value(self) -> str:
        """Mean ± SD."""
        return plus_minus(self.mean, self.sd)


def ranked_approaches(summary: pl.DataFrame) -> list[str]:
    """Approaches by mean AUC, best first.

    Args:
        summary: ``auc_summary.csv`` of one kind, all images.
    """
    means = summary.filter(pl.col("finding") == MEAN).drop_nulls("mean")
    return means.sort("mean", descending=True)["approach"].to_list()


def headline(summary: pl.DataFrame, comparison: pl.DataFrame) -> Headline | None:
    """The best approach and what can be said of it; None when nothing could be measured.

    Args:
        summary: ``auc_summary.csv`` of one kind, all images.
        comparison: ``comparison.csv`` of this kind, finding ``mean``.
    """
    ranked = ranked_approaches(summary)
    if not ranked:
        return None
    row = summary.filter((pl.col("finding") == MEAN) & (pl.col("approach") == ranked[0])).row(0, named=True)
    differences = from_best(comparison, ranked)
    return Headline(
        best=ranked[0],
        mean=row["mean"],
        sd=row["sd"],
        splits=row["splits"],
        verdict=_verdict(ranked, differences),
        is_clear=bool(differences) and differences[0].is_clear,
    )


def _verdict(ranked: Sequence[str], differences: Sequence[Difference]) -> str:
    """How the best stands against the others."""
    if len(ranked) == 1:
        return "It is the only approach of this study, so there is nothing to compare it with."
    measured = [one for one in differences if one.lower is not None]
    if not measured:
        return (
            f"The runner-up is {ranked[1]}. With a single split there is no telling whether the order would hold "
            "on another training set."
        )
    first = measured[0]
    by = f"by {decimal(first.value)} (95 % interval {interval(first.lower, first.upper)})"
    alike = [one.second for one in measured if not one.is_clear]
    if not alike:
        return f"It is ahead of the runner-up, {first.second}, {by}, and clearly ahead of all others."
    rest = len(measured) - len(alike)
    behind = f"; {_approaches(rest)} clearly behind" if rest else ""
    if first.is_clear:
        return f"It is ahead of the runner-up, {first.second}, {by}, but the data cannot tell it from {listed(alike)}."
    return (
        f"It leads the runner-up, {first.second}, {by}: too little to call it better. "
        f"The data cannot tell it from {listed(alike)}{behind}."
    )


def _approaches(number: int) -> str:
    return "one approach is" if number == 1 else f"{number} approaches are"
