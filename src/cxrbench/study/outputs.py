"""Which findings the networks of a study answer: chosen once, from the labels of every training part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from cxrbench.config import StudySettings, Vocabulary
from cxrbench.errors import StudyError
from cxrbench.runs import SPLITS_FOLDER, origin_note
from cxrbench.splits import Split

Lacking = dict[str, dict[str, str]]
"""Finding -> split -> what its training part lacks, in words."""


SHOWN = 5


@dataclass(frozen=True)
class Outputs:
    """Findings that a study answers, of those that its labels state.

    Attributes:
        vocabulary: Of the labels, in the table's order.
        findings: That the networks answer, in the vocabulary's order.
        left_out: The others, each with the splits that lack a class of it.
        notes: What the user should know about the choice, in words.
    """

    vocabulary: Vocabulary
    findings: tuple[str, ...]
    left_out: Lacking
    notes: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """Return what ``study.json`` keeps."""
        return {
            "vocabulary": self.vocabulary.model_dump(mode="json"),
            "findings": list(self.findings),
            "left_out": self.left_out,
        }


def settle_outputs(
    settings: StudySettings,
    record: Mapping[str, Any],
    vocabulary: Vocabulary,
    table: pl.DataFrame,
    splits: Sequence[Split],
) -> Outputs:
    """Fix which findings a study answers, or keep those that it began with.

    Args:
        settings: Of the study.
        record: The ``study.json`` of an earlier call; empty where there was none.
        vocabulary: Findings of the table.
        table: Labels of all images.
        splits: Of this call; those that are new have no file yet.

    Raises:
        StudyError: No pathology can be learnt, or a new split cannot train a finding that the study answers.
    """
    least = settings.min_patients
    if not record:
        return choose_outputs(vocabulary, table, splits, min_patients=least)
    known = [path.stem for path in (settings.out / SPLITS_FOLDER).glob("*.json")]
    return keep_outputs(record, vocabulary, table, splits, known=known, min_patients=least)


def choose_outputs(
    vocabulary: Vocabulary, table: pl.DataFrame, splits: Sequence[Split], *, min_patients: int
) -> Outputs:
    """Choose the findings that can be learnt on every split.

    Args:
        vocabulary: Findings of the table.
        table: Labels of all images.
        splits: Of the study.
        min_patients: Patients with an image that shows the finding, and patients with one that does not, that every
            training part has at least.

    Raises:
        StudyError: No pathology is left.
    """
    left_out = _lacking(vocabulary.names, table, splits, min_patients)
    findings = tuple(name for name in vocabulary.names if name not in left_out)
    if not set(findings) & set(vocabulary.pathologies):
        first = dict(list(left_out.items())[:SHOWN])
        more = f" and {len(left_out) - SHOWN} more" if len(left_out) > SHOWN else ""
        raise StudyError(
            f"no finding of the vocabulary {vocabulary.name!r} can be learnt on every split: {_listed(first)}{more}; "
            "are the labels read as they are meant, and are there patients enough for the splits and min_patients?"
        )
    return Outputs(vocabulary, findings, left_out, _left_out_note(left_out))


def keep_outputs(
    record: Mapping[str, Any],
    vocabulary: Vocabulary,
    table: pl.DataFrame,
    splits: Sequence[Split],
    *,
    known: Sequence[str],
    min_patients: int,
) -> Outputs:
    """Return the outputs that a study began with; a study of version 0.1 answers all findings of its table.

    Args:
        record: The ``study.json`` of an earlier call.
        vocabulary: Findings of the table.
        table: Labels of all images.
        splits: Of this call.
        known: Names of the splits that the study had before.
        min_patients: As for ``choose_outputs``.

    Raises:
        StudyError: A new split cannot train a finding that the study answers.
    """
    findings = tuple(record.get("findings", vocabulary.names))
    lacking = _lacking(findings, table, splits, min_patients)
    for finding, by_split in lacking.items():
        for split in (name for name in by_split if name not in known):
            raise StudyError(
                f"{finding}: {by_split[split]} in the training part of {split}, but this study answers it; choose "
                "another --out, or leave this split out"
            )
    left_out = dict(record.get("left_out", {}))
    notes = [*_left_out_note(left_out), *filter(None, (origin_note(record),))]
    if lacking:
        notes.append(f"answered, although a training part has only one class of them: {_listed(lacking)}")
    return Outputs(vocabulary, findings, left_out, tuple(notes))


def _lacking(findings: Sequence[str], table: pl.DataFrame, splits: Sequence[Split], least: int) -> Lacking:
    """Return what the training parts lack of each finding; those that lack nothing are not in it."""
    found: Lacking = {name: {} for name in findings}
    for split in splits:
        by_patient = table[split.rows(table, "train")].group_by("patient_id")
        positive, negative = (
            by_patient.agg((pl.col(findings) == value).any()).select(pl.col(findings).sum()).row(0, named=True)
            for value in (1, 0)
        )
        for name in findings:
            if reason := _reason(positive[name], negative[name], least):
                found[name][split.name] = reason
    return {name: by_split for name, by_split in found.items() if by_split}


def _reason(positive: int, negative: int, least: int) -> str | None:
    """Say which class has too few patients."""
    if not positive and not negative:
        return "not stated"
    few = [(count, word) for count, word in ((positive, "positive"), (negative, "negative")) if count < least]
    said = " and ".join(f"{count} {word} {'patient' if count == 1 else 'patients'}" for count, word in few)
    return f"{said} ({least} needed)" if said and least > 1 else said or None


def _left_out_note(left_out: Lacking) -> tuple[str, ...]:
    return (
        (f"no network answers these findings, because a training part has too few patients: {_listed(left_out)}",)
        if left_out
        else ()
    )


def _listed(lacking: Lacking) -> str:
    """Name findings, each with the first split whose training part lacks a class of it."""
    said = []
    for finding, by_split in lacking.items():
        split, reason = next(iter(by_split.items()))
        more = f" and {len(by_split) - 1} more" if len(by_split) > 1 else ""
        said.append(f"{finding} ({split}{more}: {reason})")
    return ", ".join(said)
