"""The table, one row per image in our common columns, from an archive's label file and folder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cxrbench import findings as vocabulary
from cxrbench.data.boxes import read_boxes
from cxrbench.data.cells import Parsed, parse_ages, parse_follow_ups, parse_sexes, parse_views
from cxrbench.data.folders import find_images
from cxrbench.data.labels import parse_labels
from cxrbench.data.releases import NIH, Column, TableFormat, read_format
from cxrbench.data.sheets import LINE, read_sheet
from cxrbench.errors import DataError
from cxrbench.progress import Track, silent
from cxrbench.runs import TABLE_COLUMNS

__all__ = [
    "NIH",
    "Archive",
    "TableFormat",
    "present",
    "read_archive",
    "read_boxes",
    "read_format",
    "read_table",
    "require_complete",
]

SHOWN = 3
"""How many names a message gives as examples."""


@dataclass(frozen=True)
class Archive:
    """Images and label file of one release or export; read-only to us.

    Attributes:
        folder: Where the images lie.
        labels: The label file that was read.
        form: How it was read.
        table: One row per listed image; ``path`` is relative to ``folder``, null when the file is missing.
        missing: Ids of the images that are listed but absent.
        unlisted: How many images lie in the folder but are not listed.
        notes: What the reader had to treat as unknown, in words.
        official: The release's train/val list and test list, where both are at hand.
    """

    folder: Path
    labels: Path
    form: TableFormat
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
    findings: Sequence[str] = vocabulary.NIH,
    track: Track = silent,
) -> Archive:
    """Read an archive's labels and find its images.

    Args:
        folder: Where the images lie, nested or flat.
        form: How the label file is laid out; NIH's unless given.
        labels: The label file; by default, the one in ``folder`` under a name that ``form`` knows.
        findings: Findings of the table, in order.
        track: Shows progress.

    Raises:
        DataError: No such folder, no label file, or a label file that cannot be read as ``form`` says.
    """
    form = form or NIH
    if not folder.is_dir():
        raise DataError(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}")
    labels = labels or _find_labels(folder, form)
    sheet, names = _read_rows(labels, form)
    table, notes = _as_table(sheet, form, findings, labels)
    found = find_images(folder, names, track=track)
    table = _sorted(table.with_columns(pl.Series("path", found.paths, dtype=pl.String)))
    return Archive(
        folder=folder,
        labels=labels,
        form=form,
        table=table,
        missing=tuple(table.filter(pl.col("path").is_null())["image_id"]),
        unlisted=found.unlisted,
        notes=notes,
        official=_find_lists((folder, labels.parent), form),
    )


def read_table(path: Path, form: TableFormat = NIH, *, findings: Sequence[str] = vocabulary.NIH) -> pl.DataFrame:
    """Read a label file alone; every ``path`` is null.

    Returns:
        One row per image, sorted by patient, follow-up number and image id: ``image_id``, ``path``,
        ``patient_id``, ``age_years`` (float32), ``sex``, ``view``, ``follow_up`` (int32), then one
        nullable int8 column per finding: 1 present, 0 absent, null not stated.

    Raises:
        DataError: The file cannot be read as ``form`` says; the message has the line.
    """
    sheet, _ = _read_rows(path, form)
    return _sorted(_as_table(sheet, form, findings, path)[0])


def present(archive: Archive) -> pl.DataFrame:
    """The table's rows whose image is at hand."""
    return archive.table.filter(pl.col("path").is_not_null())


def require_complete(archive: Archive, *, allow_missing: bool) -> None:
    """Refuse an archive whose listed images are not all there, unless that is meant.

    Raises:
        DataError: How many are missing, the first names, and what to do; or: none is there at all.
    """
    missing, listed = len(archive.missing), archive.table.height
    if missing == listed:
        raise DataError(
            f"none of the {listed:,} images that {archive.labels} lists is under {archive.folder} "
            f"(first: {archive.missing[0]}); is this the folder of the images?"
        )
    if missing and not (allow_missing or archive.is_sample):
        raise DataError(
            f"{missing:,} of the {listed:,} images that {archive.labels} lists are not under {archive.folder} "
            f"({_some(archive.missing)}); unpack them there, or go on with the others: --allow-missing"
        )


def _find_labels(folder: Path, form: TableFormat) -> Path:
    """The label file in an archive's folder."""
    found = next((folder / name for name in form.files if (folder / name).is_file()), None)
    if found is not None:
        return found
    if not form.files:
        raise DataError(
            f"which file in {folder} has the labels? Name it with --labels, or as files in the table format"
        )
    raise DataError(
        f"{folder} has no label file: looked for {' and '.join(form.files)}; "
        "name another with --labels, and describe a CSV that is not NIH's with --table-format"
    )


def _find_lists(folders: Sequence[Path], form: TableFormat) -> tuple[Path, Path] | None:
    """The release's train/val and test lists, from the first folder that has both."""
    for folder in folders if form.official else ():
        train_val, test = (folder / name for name in form.official or ())
        if train_val.is_file() and test.is_file():
            return train_val, test
    return None


def _read_rows(path: Path, form: TableFormat) -> tuple[pl.DataFrame, list[str]]:
    """The label file as text, checked for what every row needs; and the name of each row's image file."""
    sheet = read_sheet(path, delimiter=form.delimiter)
    _require_columns(sheet, form, path)
    ids = _cells(sheet, form.image_id)
    _require_filled(sheet, form.image_id, path)
    _require_filled(sheet, form.patient_id, path)
    _require_unique(sheet.select(LINE, ids.alias("image_id")), path)
    names = ids if form.path is None else _cells(sheet, form.path).fill_null(ids)
    return sheet, [f"{name}{form.suffix}" for name in names]


def _require_columns(sheet: pl.DataFrame, form: TableFormat, path: Path) -> None:
    """Refuse a file that lacks a column which the format names."""
    columns = (form.image_id, form.path, form.patient_id, form.age_years, form.sex, form.view, form.follow_up)
    needed = [column.name for column in columns if column is not None]
    needed += [(name,) for name in (form.labels.columns or {}).values()]
    needed += [(form.labels.column,)] if form.labels.column else []
    if lacking := [names for names in needed if not set(names) & set(sheet.columns)]:
        raise DataError(
            f"{path} lacks the column {' and '.join(' or '.join(map(repr, names)) for names in lacking)}; "
            f"it has {', '.join(repr(name) for name in sheet.columns if name and name != LINE)}; "
            f"expected the label file of {form.name}"
        )


def _cells(sheet: pl.DataFrame, column: Column) -> pl.Series:
    """The cells of a column, or the part of them that its pattern takes."""
    cells = sheet[_name_in(sheet, column)]
    return cells if column.pattern is None else cells.str.extract(column.pattern, 1)


def _name_in(sheet: pl.DataFrame, column: Column) -> str:
    """Under which of its names the file has the column."""
    return next(name for name in column.name if name in sheet.columns)


def _require_filled(sheet: pl.DataFrame, column: Column, path: Path) -> None:
    """Refuse a row without an image or patient."""
    if len(blank := sheet[LINE].filter(_cells(sheet, column).is_null())):
        name = _name_in(sheet, column)
        found = sheet.filter(pl.col(LINE) == blank[0])[name][0]
        problem = "is blank" if found is None else f"{found!r} does not match {column.pattern}"
        raise DataError(f"{path}, line {blank[0]}: {name} {problem} ({len(blank):,} such lines)")


def _require_unique(ids: pl.DataFrame, path: Path) -> None:
    """Refuse an image that is listed twice."""
    twice = ids.group_by("image_id", maintain_order=True).agg(pl.col(LINE)).filter(pl.col(LINE).list.len() > 1)
    if twice.height:
        shown = ", ".join(
            f"{name} (lines {' and '.join(map(str, lines[:SHOWN]))})" for name, lines in twice.head(SHOWN).iter_rows()
        )
        raise DataError(f"{path} lists {_images(twice.height)} more than once: {shown}; keep one line of each")


def _images(count: int) -> str:
    """``1 image`` or ``3 images``."""
    return "1 image" if count == 1 else f"{count:,} images"


def _as_table(
    sheet: pl.DataFrame, form: TableFormat, findings: Sequence[str], where: Path
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The sheet's rows in our columns, without paths; and the readers' notes."""

    def parsed(column: Column | None, parse: Callable[[pl.Series], Parsed]) -> Parsed:
        cells = _cells(sheet, column) if column else pl.Series([None] * sheet.height, dtype=pl.String)
        return parse(cells)

    columns = {
        "image_id": parsed(form.image_id, Parsed),
        "path": parsed(None, Parsed),
        "patient_id": parsed(form.patient_id, Parsed),
        "age_years": parsed(form.age_years, parse_ages),
        "sex": parsed(form.sex, lambda cells: parse_sexes(cells, words=form.sexes)),
        "view": parsed(form.view, lambda cells: parse_views(cells, words=form.views)),
        "follow_up": parsed(form.follow_up, parse_follow_ups),
    }
    labels, notes = parse_labels(sheet, form.labels, findings=findings, where=where)
    table = pl.DataFrame([columns[name].values.alias(name) for name in TABLE_COLUMNS])
    said = tuple(note for name in TABLE_COLUMNS for note in columns[name].notes)
    return pl.concat([table, labels], how="horizontal"), (*said, *notes)


def _sorted(table: pl.DataFrame) -> pl.DataFrame:
    """By patient and follow-up number: the suffix of an image's name is not its follow-up number."""
    return table.sort("patient_id", "follow_up", "image_id", nulls_last=True)


def _some(names: Sequence[str]) -> str:
    """The first few names."""
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
