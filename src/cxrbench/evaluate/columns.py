"""Which column of anyone's file is what: matched by name, in several spellings."""

import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from cxrbench.config import Vocabulary
from cxrbench.data.tables.sheets import LINE
from cxrbench.errors import DataError

IMAGE_COLUMNS = (
    "image_id",
    "image index",
    "image",
    "image name",
    "image path",
    "filename",
    "file name",
    "file",
    "path",
)
"""Names of the column of images, folded; the first that a file has is used."""

AFFIX = re.compile(
    r"^(prob|probability|pred|prediction|score|p|y)[_ -]+|[_ -]+(prob|probability|pred|prediction|score)$"
)
"""What projects put before or after a finding's name."""


def image_column(sheet: pl.DataFrame, path: Path) -> str:
    """The column of image names."""
    by_folded = {_folded(name): name for name in reversed(sheet.columns)}
    for wanted in IMAGE_COLUMNS:
        if found := by_folded.get(_folded(wanted)):
            return found
    raise DataError(
        f"{path} has no column of image names: looked for {', '.join(IMAGE_COLUMNS)}; it has {_shown(sheet.columns)}"
    )


def finding_columns(sheet: pl.DataFrame, vocabulary: Vocabulary, path: Path) -> dict[str, str]:
    """Column -> finding."""
    columns: dict[str, str] = {}
    for name in sheet.columns:
        finding = _finding(name, vocabulary)
        if finding is None:
            continue
        if finding in columns.values():
            first = next(column for column, taken in columns.items() if taken == finding)
            raise DataError(f"{path}: columns {first!r} and {name!r} both mean {finding}; keep one")
        columns[name] = finding
    if not columns:
        raise DataError(
            f"{path} has no column of a finding: it has {_shown(sheet.columns)}; "
            f"valid names: {', '.join(vocabulary.names)}"
        )
    return columns


def _finding(name: str, vocabulary: Vocabulary) -> str | None:
    """The finding that a column's name means, with or without an affix."""
    return vocabulary.canonical(name) or vocabulary.canonical(AFFIX.sub("", name.lower()))


def _folded(name: str) -> str:
    return " ".join(name.replace("_", " ").replace("-", " ").lower().split())


def _shown(columns: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in columns if name != LINE)
