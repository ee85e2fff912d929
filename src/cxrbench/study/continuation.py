"""A study that is called again: what it began with stays, and a call that asks for something else is refused."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from cxrbench.config import StudySettings, Vocabulary, load_vocabulary, parse_settings, recorded_vocabulary
from cxrbench.errors import StudyError
from cxrbench.files import atomic_file
from cxrbench.runs import SPLITS_FOLDER, STUDY_FILE, TABLE_FILE, read_study_record
from cxrbench.splits import Split, read_split, write_split

SHOWN = 5
PIECE = 10_000
"""Rows of the table that are text at a time."""


def earlier_record(study: Path) -> dict[str, Any]:
    """Return what an earlier call wrote into the study's record; empty where there is none."""
    return read_study_record(study) if (study / STUDY_FILE).exists() else {}


def check_continuation(settings: StudySettings, record: Mapping[str, Any]) -> None:
    """Refuse to mix runs of different sizes, recipes, weights or findings in one study.

    Raises:
        StudyError: The study began with another value; names it.
    """
    if not record:
        return
    began = parse_settings(record["settings"], StudySettings, where=str(settings.out / STUDY_FILE))
    for key in ("profile", "overrides", "weights", "min_patients"):
        old, new = getattr(began, key), getattr(settings, key)
        if _without_folders(old) != _without_folders(new):
            raise StudyError(f"{settings.out}: this study began with {key} {old!r}, not {new!r}; choose another --out")
    _check_vocabulary(settings, began.vocabulary, record)


def _without_folders(value: Any) -> str:
    """Return a setting as JSON, of paths only the last name: a study may be called from another folder, or be moved.

    Another file of that name is noticed all the same: a run's configuration has the digest of its weights.
    """
    if isinstance(value, Mapping):
        return json.dumps({str(key): _without_folders(each) for key, each in value.items()}, sort_keys=True)
    if isinstance(value, list | tuple):
        return json.dumps([_without_folders(each) for each in value])
    return json.dumps(Path(value).name if isinstance(value, str | Path) else value)


def _check_vocabulary(settings: StudySettings, old: str | None, record: Mapping[str, Any]) -> None:
    """Refuse other findings than those that a study began with, wherever their file lies now."""
    new = settings.vocabulary
    began = f"{settings.out}: this study began with vocabulary {old!r}"
    if (old is None) != (new is None):
        raise StudyError(f"{began}, not {new!r}; choose another --out")
    if new is not None and (
        differing := _differing(recorded_vocabulary(record, where=settings.out / STUDY_FILE), load_vocabulary(new))
    ):
        raise StudyError(f"{began}, and {new!r} has another {differing} now; choose another --out")


def _differing(old: Vocabulary, new: Vocabulary) -> str:
    """Say what differs between two vocabularies; empty where they mean the same."""
    if old.findings == new.findings:
        return ""
    before, now = ({one.name: one for one in each.findings} for each in (old, new))
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return ", ".join(names[:SHOWN]) or "order of findings"


def asked_vocabulary(settings: StudySettings, record: Mapping[str, Any]) -> Vocabulary | None:
    """Return the findings that the study began with, else those asked for; None: those of the labels' format."""
    if record:
        return recorded_vocabulary(record, where=settings.out / STUDY_FILE)
    return None if settings.vocabulary is None else load_vocabulary(settings.vocabulary)


def keep_table(study: Path, table: pl.DataFrame) -> str:
    """Write the table, or see that it is still the one the study began with; return its digest.

    Raises:
        StudyError: It is another one.
    """
    path = study / TABLE_FILE
    if path.exists() and not pl.read_parquet(path).equals(table):
        raise StudyError(
            f"{path}: labels or images of the archive changed since this study began; "
            "choose another --out for the new ones"
        )
    if not path.exists():
        with atomic_file(path) as scratch:
            table.write_parquet(scratch)
    return _digest_table(table)


def _digest_table(table: pl.DataFrame) -> str:
    """SHA-256 (hex) of a table's content, independent of how the file was written."""
    digest = hashlib.sha256()
    for start in range(0, max(table.height, 1), PIECE):
        digest.update(table[start : start + PIECE].write_csv(include_header=start == 0).encode())
    return digest.hexdigest()


def keep_splits(study: Path, splits: Sequence[Split]) -> None:
    """Write the splits, or see that they are still those the study began with.

    Raises:
        StudyError: One is another one.
    """
    folder = study / SPLITS_FOLDER
    for split in splits:
        path = folder / f"{split.name}.json"
        if not path.exists():
            write_split(split, folder)
        elif read_split(path).digest != split.digest:
            raise StudyError(f"{path}: drawn with other settings (seed or fractions); choose another --out")
