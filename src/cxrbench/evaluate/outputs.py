"""What a record says of its findings: their vocabulary, and those that no network was trained on."""

from collections.abc import Mapping, Sequence
from typing import Any

from cxrbench.config import Finding, Vocabulary, load_vocabulary, parse_settings

VOCABULARY, LEFT_OUT = "vocabulary", "left_out"
"""Keys of ``study.json``, the first of ``evaluation.json`` too."""


def recorded_vocabulary(record: Mapping[str, Any], findings: Sequence[str], *, where: str) -> Vocabulary:
    """Return the vocabulary of some findings, in their order.

    Args:
        record: What ``study.json`` or ``evaluation.json`` holds; one of version 0.1 has no vocabulary, and is of NIH's.
        findings: Names of the outputs.
        where: Path of the record, to begin an error message.

    Raises:
        ConfigError: The recorded vocabulary is not valid.
    """
    raw = record.get(VOCABULARY)
    whole = load_vocabulary() if raw is None else parse_settings(raw, Vocabulary, where=f"{where}, {VOCABULARY}")
    known = {each.name: each for each in whole.findings}
    own = tuple(known.get(name) or Finding(name=name) for name in findings)
    return Vocabulary(name=whole.name, source=whole.source, findings=own)


def left_out_reasons(record: Mapping[str, Any]) -> dict[str, str]:
    """Return why each finding of the study's vocabulary that is no output is none, with the splits that lack it.

    Args:
        record: What ``study.json`` holds.
    """
    return {finding: _joined(by_split) for finding, by_split in (record.get(LEFT_OUT) or {}).items()}


def _joined(by_split: Mapping[str, str]) -> str:
    """Return what the training parts lack, each lack once, with the splits that have it."""
    splits: dict[str, list[str]] = {}
    for split, reason in by_split.items():
        splits.setdefault(reason, []).append(split)
    return "; ".join(f"{reason} in the training part of {', '.join(names)}" for reason, names in splits.items())
