"""The table, one row per image in our common columns, from an archive's label file and folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cxrbench.config import Vocabulary
from cxrbench.data.tables.folders import find_images
from cxrbench.data.tables.releases import NIH, TableFormat, choose_format, fitting_format
from cxrbench.data.tables.rows import Rows, read_rows
from cxrbench.data.tables.wording import counted, first_of, images
from cxrbench.errors import DataError
from cxrbench.progress import Track, silent


@dataclass(frozen=True)
class LabelTable:
    """What label files say, without looking for images.

    Attributes:
        table: One row per image, sorted by patient, follow-up number and image id: ``image_id``, ``path`` (null),
            ``patient_id``, ``age_years`` (float32), ``sex``, ``view``, ``follow_up`` (int32), then one nullable int8
            column per finding: 1 present, 0 absent, null not stated.
        vocabulary: The findings of the table, in order.
        form: How the files were read.
        files: What was read, the first table's first.
        notes: Rows read, joined and skipped and why, names not known with counts, the policy used, what was treated
            as unknown; for people to read.
        tally: One row per finding: cells that say ``present``, ``absent``, ``uncertain``, and ``blank`` ones.
        votes: ``image_id``, ``finding``, how many of the ``readers`` that stated it said ``present``; None without
            readers.
        parts: ``image_id`` and official ``part`` (train, val or test); None where the archive has none.
    """

    table: pl.DataFrame
    vocabulary: Vocabulary
    form: TableFormat
    files: tuple[Path, ...]
    notes: tuple[str, ...]
    tally: pl.DataFrame
    votes: pl.DataFrame | None
    parts: pl.DataFrame | None


@dataclass(frozen=True)
class Archive:
    """Images and label files of one release or export; read-only to us.

    Attributes:
        folder: Where the images lie.
        labels: The label file that was read, or the first of several.
        form: How it was read.
        vocabulary: The findings of the table, in order.
        table: One row per listed image; ``path`` is relative to ``folder``, null when the file is missing.
        missing: Ids of the images that are listed but absent.
        unlisted: How many images lie in the folder but are not listed.
        notes: What the reader made of the labels, in words.
        official: The release's train/val list and test list, where both are at hand.
        parts: ``image_id`` and official ``part`` where the labels say it; else None.
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
    parts: pl.DataFrame | None = None

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
        form: How the label files are laid out; the packaged format that they have unless given.
        labels: The label file, or the folder of label files; by default those in ``folder`` under names that ``form``
            knows.
        vocabulary: Findings to read; those of ``form`` unless given.
        track: Shows progress.

    Raises:
        DataError: No such folder, no label file, a label file that cannot be read as ``form`` says, or two files of
            one image.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}; give the archive's")
    rows, form, notes = _read([labels or folder], form, vocabulary)
    found = find_images(folder, rows.names, track=track)
    table = _sorted(rows.table.with_columns(path=found.paths))
    return Archive(
        folder=folder,
        labels=rows.files[0],
        form=form,
        vocabulary=rows.vocabulary,
        table=table,
        missing=tuple(table.filter(pl.col("path").is_null())["image_id"]),
        unlisted=found.unlisted,
        notes=notes,
        official=_find_lists((folder, rows.files[0].parent), form),
        parts=_parts(rows),
    )


def read_label_table(
    paths: Sequence[Path], *, form: TableFormat | None = None, vocabulary: Vocabulary | None = None
) -> LabelTable:
    """Read label files alone.

    Args:
        paths: Label files, or folders that hold them.
        form: How they are laid out; the packaged format that they have unless given.
        vocabulary: Findings to read; those of ``form`` unless given.

    Raises:
        DataError: They cannot be read as ``form`` says; the message has the file and line.
    """
    rows, form, notes = _read(paths, form, vocabulary)
    return LabelTable(
        table=_sorted(rows.table),
        vocabulary=rows.vocabulary,
        form=form,
        files=rows.files,
        notes=notes,
        tally=rows.tally,
        votes=rows.votes,
        parts=_parts(rows),
    )


def describe_labels(read: LabelTable) -> str:
    """Return the counts per finding as lines of text, the images and patients first."""
    table, patients = read.table, read.table["patient_id"].n_unique()
    width = max(len("finding"), *map(len, read.vocabulary.names))
    heads = ("present", "absent", "not stated")
    lines = [f"{images(table.height)} of {counted(patients, 'patient')}"]
    lines.append(
        f"{'finding':<{width}}" + "".join(f"{head:>12}" for head in heads) + "   of these cells uncertain, blank"
    )
    for name, *_, uncertain, blank in read.tally.rows():
        counts = ((table[name] == 1).sum(), (table[name] == 0).sum(), table[name].null_count())
        lines.append(
            f"{name:<{width}}" + "".join(f"{count:>12,}" for count in counts) + f"{uncertain:>15,} {blank:>12,}"
        )
    return "\n".join(lines)


def read_table(path: Path, form: TableFormat = NIH, *, vocabulary: Vocabulary | None = None) -> pl.DataFrame:
    """Return the table of one label file; see ``read_label_table``."""
    return read_label_table([path], form=form, vocabulary=vocabulary).table


def _read(
    paths: Sequence[Path], form: TableFormat | None, vocabulary: Vocabulary | None
) -> tuple[Rows, TableFormat, tuple[str, ...]]:
    """Rows, how they were read, and the notes."""
    if form is None:
        form, recognised = choose_format(paths)
        rows = read_rows(paths, form, vocabulary=vocabulary)
        return rows, form, (*((recognised,) if recognised else ()), *rows.notes)
    try:
        rows = read_rows(paths, form, vocabulary=vocabulary)
    except DataError as error:
        if packaged := fitting_format(paths, form):
            raise DataError(f"{error}. The columns are those of a packaged format: --format {packaged}") from None
        raise
    packaged = fitting_format(rows.files, form)
    hint = (f"the columns are those of the packaged format {packaged}; --format {packaged} reads them",) * bool(
        packaged
    )
    return rows, form, (*rows.notes, *hint)


def _parts(rows: Rows) -> pl.DataFrame | None:
    """The official part of each image."""
    if rows.parts is None or not rows.parts.count():
        return None
    return rows.table.select("image_id", part=rows.parts)


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
        has_ending = "." in archive.missing[0].rpartition("/")[2] or any(archive.form.suffix)
        hint = "" if has_ending else " Names without an ending need suffix: .png, or another, in the table format"
        raise DataError(
            f"none of the {listed:,} images that {archive.labels} lists is under {archive.folder} "
            f"(the first is {archive.missing[0]}); is this the folder of the images?{hint}"
        )
    if missing and not (allow_missing or archive.is_sample):
        raise DataError(
            f"{missing:,} of the {listed:,} images that {archive.labels} lists are not under {archive.folder} "
            f"({first_of(archive.missing)}); unpack them there, or go on without them: --allow-missing"
        )


def _find_lists(folders: Sequence[Path], form: TableFormat) -> tuple[Path, Path] | None:
    """The release's train/val and test lists, from the first folder that has both."""
    if form.official is None:
        return None
    train_val, test = form.official
    pairs = ((folder / train_val, folder / test) for folder in folders)
    return next((pair for pair in pairs if pair[0].is_file() and pair[1].is_file()), None)
