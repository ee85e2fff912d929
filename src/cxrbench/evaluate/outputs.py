"""What a record says of its findings: their vocabulary, and those that no network was trained on."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cxrbench import runs
from cxrbench.config import Finding, Vocabulary, load_vocabulary, parse_settings
from cxrbench.evaluate.reading import readable

VOCABULARY, LEFT_OUT = "vocabulary", "left_out"
"""Keys of ``study.json``, the first of ``evaluation.json`` too."""


def read_study_record(study: Path) -> dict[str, Any]:
    """Return what ``study.json`` holds.

    Raises:
        StudyError: It is absent or damaged.
    """
    path = study / runs.STUDY_FILE
    with readable(path):
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


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
    """Return the reasons, each once, with the splits it holds on."""
    splits: dict[str, list[str]] = {}
    for split, reason in by_split.items():
        splits.setdefault(reason, []).append(split)
    return "; ".join(f"{reason} ({', '.join(names)})" for reason, names in splits.items())
