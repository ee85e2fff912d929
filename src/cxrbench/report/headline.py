"""The first screen: the study in a sentence, how sure that is, and what to know before reading on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from cxrbench.report import words
from cxrbench.report.differences import from_best, rank_disagreement
from cxrbench.report.forest import Difference
from cxrbench.report.pretraining import pretraining, seen_before, seen_said
from cxrbench.report.selection import IS_ALL, IS_MEAN, Results
from cxrbench.report.study import Study
from cxrbench.report.words import auc_said, decimal, difference_interval, listed, plus_minus
from cxrbench.stats.clustered import MIN_PATIENTS


@dataclass(frozen=True)
class Headline:
    """The study in a few sentences, for a hurried reader."""

    best: str
    """The best approach, or the only one."""
    value: str
    """Its mean AUC: with its interval on one test set, with the SD over several splits."""
    is_alone: bool
    """There is nothing to compare it with."""
    sureness: str
    """Sentences that say how sure it is that the best is better."""
    question: str
    """Question that the intervals answer; empty where there are none."""
    ranks: str = ""
    """Sentence about another best by mean rank; empty where there is none."""
    caution: str = ""
    """Note about weights that saw test films before; empty when none did."""


def question_asked(names: Sequence[str], images: str, *, called: str = "approaches") -> str:
    """Return the question that a page answers, as its heading.

    Args:
        names: Names of the approaches or models.
        images: Name of the test images.
        called: Word for them, in the plural.
    """
    if len(names) == 1:
        return f"How well does {names[0]} do on {images}?"
    if len(names) == 2:
        return f"Which is better on {images}, {names[0]} or {names[1]}?"
    return f"Which of {words.number(len(names))} {called} is best on {images}?"


def headline(results: Results) -> Headline | None:
    """Name the best approach and how sure that is; None when nothing could be measured."""
    if not results.ranked:
        return None
    best, is_alone = results.ranked[0], len(results.approaches) == 1
    differences = from_best(results.compared, results.ranked)
    sureness = _alone(results) if is_alone else verdict(results.ranked, differences, results.why_no_interval)
    return Headline(
        best=results.label(best),
        value=_mean_auc(results, best),
        is_alone=is_alone,
        sureness=sureness,
        question=results.question or "",
        ranks=rank_disagreement(results),
        caution=results.seen_note,
    )


def _mean_auc(results: Results, approach: str) -> str:
    """The mean AUC of an approach, with its interval or SD where there is one."""
    is_own = IS_MEAN & (pl.col("approach") == approach)
    if results.has_intervals:
        return auc_said(results.auc.filter(is_own).row(0, named=True))
    row = results.summary.filter(is_own).row(0, named=True)
    return plus_minus(row["mean"], row["sd"])


def _alone(results: Results) -> str:
    """The findings that the only approach tells best and worst, and what the numbers answer for."""
    patients = results.auc.group_by("finding").agg(pl.col("positive_patients").min())
    enough = patients.filter(pl.col("positive_patients") >= MIN_PATIENTS)["finding"]
    is_meant = pl.col("finding").is_in(results.vocabulary.pathologies) & pl.col("finding").is_in(enough.implode())
    pathologies = results.summary.filter(is_meant).drop_nulls("mean")
    ordered = pathologies.sort("mean", descending=True, maintain_order=True)
    said = ""
    if ordered.height > 1:
        best, worst = ordered.row(0, named=True), ordered.row(-1, named=True)
        said = (
            f"Best on {words.title_of(best['finding'])} ({decimal(best['mean'])}), "
            f"worst on {words.title_of(worst['finding'])} ({decimal(worst['mean'])}). "
        )
    if not results.has_intervals:
        return f"{said}The SD describes how the splits differ; it is not an interval."
    row = results.auc.filter(IS_MEAN).row(0, named=True)
    if row["lower"] is None:
        return f"{said}The mean has no interval ({row['reason']})."
    return f"{said}The interval answers for: {row['question']}."


def verdict(ranked: Sequence[str], differences: Sequence[Difference], why_no_interval: str = "") -> str:
    """Say how sure it is that the best is better than the others.

    Args:
        ranked: Approaches, best first; two or more.
        differences: The best minus each other.
        why_no_interval: Reason why differences have no interval.
    """
    measured = [one for one in differences if one.lower is not None]
    if not measured:
        why = f" ({why_no_interval})" if why_no_interval else ""
        return (
            f"The runner-up is {ranked[1]}. These data do not say how sure their order is: "
            f"the difference has no interval{why}."
        )
    first = measured[0]
    by = f"by {decimal(first.value)} (95 % interval {difference_interval(first.lower, first.upper)})"
    alike = [one.of[1] for one in measured if not one.is_clear]
    if not alike:
        others = ", and of every other approach" if len(measured) > 1 else ""
        return f"It is ahead of the runner-up, {first.of[1]}, {by}{others}."
    if first.is_clear:
        return f"It is ahead of the runner-up, {first.of[1]}, {by}, but the data cannot tell it from {listed(alike)}."
    told = f"It leads the runner-up, {first.of[1]}, {by}: too little to call it better."
    if len(measured) == 1:
        return told
    behind = len(measured) - len(alike)
    others = f"{listed(alike)}{_behind(behind)}" if behind else "any other approach"
    return f"{told} The data cannot tell it from {others}."


def _behind(number: int) -> str:
    """The approaches that are clearly worse."""
    return "; one approach is clearly behind" if number == 1 else f"; {number} approaches are clearly behind"


def cautions(study: Study) -> list[tuple[str, str]]:
    """Return the title and text of what must be known before any number is read."""
    record = study.record
    profile, failed, archive = record["profile"], study.tables.failures.height, record["archive"]
    weights = pretraining(study)
    stand_ins = [name for name, one in weights.items() if one.is_stand_in]
    not_for_sale = [f"{name} ({one.licence})" for name, one in weights.items() if one.is_non_commercial]
    said = {
        "Part of the archive": (
            archive["images_missing"] > 0,
            f"{words.count(archive['images'])} of its {words.count(archive['images_listed'])} images were available.",
        ),
        "Generated radiographs": (
            archive["is_phantom"],
            "The images were drawn by a program. Nothing here is about patients.",
        ),
        "Stand-in weights": (
            bool(stand_ins),
            _stand_ins(stand_ins),
        ),
        "Seen before": (
            bool(seen := seen_said(seen_before(study.tables))),
            f"Pre-trained weights saw test films: {seen}. These results are too good by an unknown amount.",
        ),
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
        "Uneven": (bool(uneven := _uneven(study)), uneven),
        "Incomplete": (failed > 0, f"Failed runs: {failed}; they are listed under Provenance."),
    }
    return [(title, text) for title, (applies, text) in said.items() if applies]


def _uneven(study: Study) -> str:
    """Name the approaches that have fewer splits of a kind than others; empty where none has."""
    summary = study.tables.auc_summary.filter(IS_MEAN & IS_ALL)
    most = summary.with_columns(pl.col("splits").max().over("kind").alias("most"))
    behind = most.filter(pl.col("splits") < pl.col("most"))
    if not behind.height:
        return ""
    said = [f"{row['approach']} has {row['splits']} of {row['most']} splits" for row in behind.iter_rows(named=True)]
    return f"{sentence(words.listed(said))} Its mean does not compare with means over other splits."


def _named(findings: Iterable[str]) -> str:
    """Findings as prose."""
    return words.listed([words.title_of(name) for name in findings])


def _stand_ins(approaches: Sequence[str]) -> str:
    return (
        f"Stand-ins, trained on generated pictures, replace the published weights of {words.listed(list(approaches))}. "
        "These results say nothing about the published weights."
    )


def sentence(text: str) -> str:
    """Text with a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
