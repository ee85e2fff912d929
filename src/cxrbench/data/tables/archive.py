"""The table, one row per image in our common columns, from an archive's label file and folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cxrbench.config import Vocabulary
from cxrbench.data.tables.folders import find_images
from cxrbench.data.tables.releases import NIH, TableFormat
from cxrbench.data.tables.rows import read_rows
from cxrbench.data.tables.wording import first_of
from cxrbench.errors import DataError
from cxrbench.progress import Track, silent


@dataclass(frozen=True)
class Archive:
    """Images and label file of one release or export; read-only to us.

    Attributes:
        folder: Where the images lie.
        labels: The label file that was read.
        form: How it was read.
        vocabulary: The findings of the table, in order.
        table: One row per listed image; ``path`` is relative to ``folder``, null when the file is missing.
        missing: Ids of the images that are listed but absent.
        unlisted: How many images lie in the folder but are not listed.
        notes: What the reader had to treat as unknown, in words.
        official: The release's train/val list and test list, where both are at hand.
    """

    folder: Path
    labels: Path
    form: TableFormat
    vocabulary: Vocabulary
    table: pl.DataFrame
    missing: tuple[str, ...]
    unlisted: int
    notes: tuple[str, ...]
    official: tuple[Path, Path] | None

    @property
    def is_sample(self) -> bool:
        """Whether the folder is meant to hold only part of the listed images."""
        return self.form.is_sample


def read_archive(
    folder: Path,
    *,
    form: TableFormat | None = None,
    labels: Path | None = None,
    vocabulary: Vocabulary | None = None,
    track: Track = silent,
) -> Archive:
    """Read an archive's labels and find its images.

    Args:
        folder: Where the images lie, nested or flat.
        form: How the label file is laid out; NIH's unless given.
        labels: The label file; by default the one in ``folder`` under a name that ``form`` knows.
        vocabulary: Findings to read; those of ``form`` unless given.
        track: Shows progress.

    Raises:
        DataError: No such folder, no label file, a label file that cannot be read as ``form`` says, or two files of
            one image.
    """
    form = form or NIH
    if not folder.is_dir():
        raise DataError(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}; give the archive's")
    labels = labels or _find_labels(folder, form)
    vocabulary = vocabulary or form.findings
    rows = read_rows(labels, form, vocabulary=vocabulary)
    found = find_images(folder, rows.names, track=track)
    table = _sorted(rows.table.with_columns(path=found.paths))
    return Archive(
        folder=folder,
        labels=labels,
        form=form,
        vocabulary=vocabulary,
        table=table,
        missing=tuple(table.filter(pl.col("path").is_null())["image_id"]),
        unlisted=found.unlisted,
        notes=rows.notes,
        official=_find_lists((folder, labels.parent), form),
    )


def read_table(path: Path, form: TableFormat = NIH, *, vocabulary: Vocabulary | None = None) -> pl.DataFrame:
    """Read a label file alone, with the findings of ``form`` unless others are given; every ``path`` is null.

    Returns:
        One row per image, sorted by patient, follow-up number and image id: ``image_id``, ``path``,
        ``patient_id``, ``age_years`` (float32), ``sex``, ``view``, ``follow_up`` (int32), then one
        nullable int8 column per finding: 1 present, 0 absent, null not stated.

    Raises:
        DataError: The file cannot be read as ``form`` says; the message has the line.
    """
    return _sorted(read_rows(path, form, vocabulary=vocabulary or form.findings).table)


def _sorted(table: pl.DataFrame) -> pl.DataFrame:
    """By patient and follow-up number: the suffix of an image's name is not its follow-up number."""
    return table.sort("patient_id", "follow_up", "image_id", nulls_last=True)


def present(archive: Archive) -> pl.DataFrame:
    """The table's rows whose image is at hand."""
    return archive.table.filter(pl.col("path").is_not_null())


def require_complete(archive: Archive, allow_missing: bool) -> None:
    """Refuse an archive whose listed images are not all there, unless that is meant.

    Raises:
        DataError: How many are missing, the first names, and what to do; or: none is there at all.
    """
    missing, listed = len(archive.missing), archive.table.height
    if missing == listed:
        raise DataError(
            f"none of the {listed:,} images that {archive.labels} lists is under {archive.folder} "
            f"(the first is {archive.missing[0]}); is this the folder of the images?"
        )
    if missing and not (allow_missing or archive.is_sample):
        raise DataError(
            f"{missing:,} of the {listed:,} images that {archive.labels} lists are not under {archive.folder} "
            f"({first_of(archive.missing)}); unpack them there, or go on without them: --allow-missing"
        )


def _find_labels(folder: Path, form: TableFormat) -> Path:
    """The label file in an archive's folder."""
    for path in (folder / name for name in form.files):
        if path.is_file():
            return path
    if not form.files:
        raise DataError(
            f"{folder}: which file has the labels? Name it with --labels, or with files: in the table format"
        )
    raise DataError(
        f"{folder} has no label file; looked for {' and '.join(form.files)}. "
        "Name another with --labels, and describe a CSV that is not NIH's with --format"
    )


def _find_lists(folders: Sequence[Path], form: TableFormat) -> tuple[Path, Path] | None:
    """The release's train/val and test lists, from the first folder that has both."""
    if form.official is None:
        return None
    train_val, test = form.official
    pairs = ((folder / train_val, folder / test) for folder in folders)
    return next((pair for pair in pairs if pair[0].is_file() and pair[1].is_file()), None)
