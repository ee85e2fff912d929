"""The first screen: the study in a sentence, how sure that is, and what to know before reading on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from cxrbench.report import words
from cxrbench.report.differences import from_best
from cxrbench.report.forest import Difference
from cxrbench.report.pretraining import pretraining, seen_before, seen_said
from cxrbench.report.selection import IS_MEAN, Results
from cxrbench.report.study import Study
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


def cautions(study: Study) -> list[tuple[str, str]]:
    """What must be known before any number is read: title and text."""
    record = study.record
    profile, failed, archive = record["profile"], study.tables.failures.height, record["archive"]
    weights = pretraining(study)
    stand_ins = [name for name, one in weights.items() if one.is_stand_in]
    not_for_sale = [f"{name} ({one.licence})" for name, one in weights.items() if one.is_non_commercial]
    said = {
        "Part of the archive": (
            archive["images_missing"] > 0,
            f"{words.count(archive['images'])} of its {words.count(archive['images_listed'])} images are at hand.",
        ),
        "Generated radiographs": (
            archive["is_phantom"],
            "The images were drawn by a program. Nothing here is about patients.",
        ),
        "Stand-in weights": (
            bool(stand_ins),
            _stand_ins(stand_ins),
        ),
        "Seen before": (bool(seen := seen_said(study)), seen),
        "Not for commercial use": (
            bool(not_for_sale),
            f"The licence of the pre-trained weights forbids it: {words.listed(not_for_sale)}.",
        ),
        f"Profile {profile['name']}": (
            profile["name"] != "paper",
            f"{sentence(profile['summary'])} The numbers are not those of full-size networks.",
        ),
        "Left out": (
            bool(study.left_out),
            f"No network answers {_named(study.left_out)}, which the labels name; the reasons stand under The archive.",
        ),
        "Incomplete": (failed > 0, f"Failed runs: {failed}; they are listed under Provenance."),
    }
    return [(title, text) for title, (applies, text) in said.items() if applies]


def _named(findings: Iterable[str]) -> str:
    """Findings as prose."""
    return words.listed([words.title_of(name) for name in findings])


def _stand_ins(approaches: Sequence[str]) -> str:
    return (
        f"Stand-ins, trained on generated pictures, replace the published weights of {words.listed(list(approaches))}. "
        "These results are not ImageNet's or any other published weights'."
    )


def sentence(text: str) -> str:
    """Text with a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
