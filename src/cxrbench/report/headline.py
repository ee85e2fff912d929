"""The study in a sentence: which approach is best, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from cxrbench.report.differences import Difference, from_best
from cxrbench.report.results import IS_MEAN, Results, seen_before
from cxrbench.report.words import decimal, interval, listed, plus_minus


@dataclass(frozen=True)
class Headline:
    """What a hurried reader takes away."""

    best: str
    value: str
    """Its mean AUC, with SD where there are several splits."""
    verdict: str
    """Whether the best is really better, in words."""
    question: str
    """What the verdict holds for; empty when there is none."""
    caution: str = ""
    """Which of the compared approaches saw test films before; empty when none did."""


def headline(results: Results) -> Headline | None:
    """The best approach and what can be said of it; None when nothing could be measured."""
    if not results.ranked:
        return None
    best = results.ranked[0]
    row = results.summary.filter(IS_MEAN & (pl.col("approach") == best)).row(0, named=True)
    return Headline(
        best=best,
        value=plus_minus(row["mean"], row["sd"]),
        verdict=verdict(results.ranked, from_best(results.compared, results.ranked)),
        question=results.question or "",
        caution=_caution(results),
    )


def _caution(results: Results) -> str:
    seen = seen_before(results.tables)
    names = [name for name in results.ranked if seen.height and name in set(seen["approach"])]
    if not names:
        return ""
    return f"Mind that the pre-trained weights of {listed(names)} saw test films before; see Provenance."


def verdict(ranked: Sequence[str], differences: Sequence[Difference]) -> str:
    """How the best stands against the others."""
    if len(ranked) == 1:
        return "It is the only approach of this study, so there is nothing to compare it with."
    measured = [one for one in differences if one.lower is not None]
    if not measured:
        return f"The runner-up is {ranked[1]}; how sure their order is cannot be said from these data."
    first = measured[0]
    by = f"by {decimal(first.value)} (95 % interval {interval(first.lower, first.upper)})"
    alike = [one.second for one in measured if not one.is_clear]
    if not alike:
        return f"It is ahead of the runner-up, {first.second}, {by}, and of every other approach."
    if first.is_clear:
        return f"It is ahead of the runner-up, {first.second}, {by}, but the data cannot tell it from {listed(alike)}."
    behind = len(measured) - len(alike)
    others = f"{listed(alike)}{_behind(behind)}" if behind else "any other approach"
    return (
        f"It leads the runner-up, {first.second}, {by}: too little to call it better. "
        f"The data cannot tell it from {others}."
    )


def _behind(number: int) -> str:
    """The approaches that are clearly worse."""
    return "; one approach is clearly behind" if number == 1 else f"; {number} approaches are clearly behind"
