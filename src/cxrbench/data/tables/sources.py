"""The files of a format -> one sheet: found by their names, read, set below one another and joined."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import polars as pl

from cxrbench.config import Column, Join, TableFormat, columns_in, format_names
from cxrbench.config.vocabulary import folded
from cxrbench.data.tables.folders import list_images
from cxrbench.data.tables.sheets import LINE, Sheet, open_sheet
from cxrbench.data.tables.wording import counted
from cxrbench.errors import DataError

FILE = "#file"
"""Column that holds the file of each row, for messages."""
PART = "#part"
"""Column that holds the official part of each row, where the file says it."""

PACKED_SUFFIXES = ("", ".gz", ".xz", ".bz2", ".zip")


@dataclass(frozen=True)
class Source:
    """All rows of a format's files.

    Attributes:
        rows: Text, with ``LINE``, ``FILE`` and ``PART``.
        files: What was read, the first table's first.
        notes: Rows read and joined.
    """

    rows: pl.DataFrame
    files: tuple[Path, ...]
    notes: tuple[str, ...]


def read_source(paths: Sequence[Path], form: TableFormat) -> Source:
    """Read and join the tables of a format.

    Args:
        paths: Label files, and folders in which those that are not named are looked for.
        form: How they are laid out.

    Raises:
        DataError: A file is absent or unreadable, tables do not join, or a join would double rows.
    """
    if form.lists_images:
        return _listing(paths)
    files = main_files(paths, form)
    sheets = [_open(path, form, columns_of(form)) for path in files]
    rows = pl.concat([_placed(sheet, path, form) for sheet, path in zip(sheets, files, strict=True)], how="diagonal")
    notes = [
        f"{path.name}: {counted(sheet.rows.height, 'row')} read" for sheet, path in zip(sheets, files, strict=True)
    ]
    notes += [note for sheet in sheets for note in sheet.notes]
    read = list(files)
    for join in form.join:
        if (path := _joined_file(join, paths, files[0])) is not None:
            sheet = _open(path, form, join.by.values())
            rows, said = _joined(rows, sheet.rows, join, path)
            notes += [*sheet.notes, *said]
            read.append(path)
    return Source(rows, tuple(read), tuple(notes))


def _open(path: Path, form: TableFormat, expected: Iterable[str]) -> Sheet:
    return open_sheet(path, delimiter=form.delimiter, encoding=form.encoding, expected=tuple(expected))


def _placed(sheet: Sheet, path: Path, form: TableFormat) -> pl.DataFrame:
    """Rows with their file and its official part."""
    part = next((part for name, part in form.parts.items() if is_named(path, name)), None)
    return sheet.rows.with_columns(pl.lit(path.name).alias(FILE), pl.lit(part, dtype=pl.String).alias(PART))


def _listing(paths: Sequence[Path]) -> Source:
    """One row per image of the folders, for archives whose labels are folders or names."""
    folders = [path for path in paths if path.is_dir()]
    if not folders:
        raise DataError(f"{paths[0]}: not a folder; this format reads the labels from folders and names of images")
    rows = pl.concat([list_images(folder) for folder in folders])
    if rows.is_empty():
        raise DataError(f"{folders[0]}: no image in it or below")
    columns = [pl.lit(folders[0].name).alias(FILE), pl.lit(None, dtype=pl.String).alias(PART)]
    note = f"{folders[0].name}: {counted(rows.height, 'image')} found"
    return Source(rows.with_row_index(LINE, offset=1).with_columns(columns), (folders[0],), (note,))


def columns_of(form: TableFormat) -> list[str]:
    """Return the columns that a format names, without those that may be absent or stand in joined tables only."""
    fields = [form.image_id, form.patient_id, form.age_years, form.born, form.seen, form.sex, form.view, form.follow_up]
    columns = [column for column in (*fields, form.path) if isinstance(column, Column)]
    if isinstance(form.labels.columns, dict):
        columns += form.labels.columns.values()
    names = [each for column in columns for name in column.name for each in columns_in(name)]
    names += [form.labels.column] if form.labels.column else []
    names += [*form.only, *form.skip, *([form.readers.column] if form.readers else []), *form.recognised_by]
    return list(dict.fromkeys(names))


def is_named(path: Path, name: str) -> bool:
    """Return whether a file has a name that a format knows, packed or not; case does not matter."""
    return any(fnmatchcase(path.name.lower(), (name + suffix).lower()) for suffix in PACKED_SUFFIXES)


def main_files(paths: Sequence[Path], form: TableFormat) -> tuple[Path, ...]:
    """Return the files of a format's first table.

    Those that are named count whatever they are called, unless they are what a join looks for.

    Raises:
        DataError: None is named, and the folders have none.
    """
    joined = [name for join in form.join for name in join.files]
    named = [path for path in paths if not path.is_dir()]
    if mine := [path for path in named if not any(is_named(path, name) for name in joined)]:
        return tuple(mine)
    folders = [path for path in paths if path.is_dir()] or sorted({path.parent for path in named})
    found = [path for name in form.parts if (path := find_file(folders, [name]))]
    best = find_file(folders, form.files)
    if files := found or ([best] if best else []):
        return tuple(dict.fromkeys(files))
    raise DataError(_nothing_found(folders[0], form))


def _nothing_found(folder: Path, form: TableFormat) -> str:
    """The message where a folder has no label file."""
    names = (*form.files, *form.parts)
    if not names:
        return f"{folder}: which file has the labels? Name it with --labels, or with files: in the table format"
    return (
        f"{folder} has no label file; looked for {' and '.join(names)}. "
        f"Name another with --labels; what is not NIH's needs its --format ({', '.join(format_names())}, or a YAML)"
    )


def find_file(folders: Sequence[Path], names: Sequence[str]) -> Path | None:
    """Return the first file with one of the names, best name first, in the folders or one below them."""
    for name in names:
        for folder in folders:
            patterns = [below + name + suffix for below in ("", "*/") for suffix in PACKED_SUFFIXES]
            for pattern in patterns:
                if found := sorted(path for path in folder.glob(pattern) if path.is_file()):
                    return found[0]
    return None


def _joined_file(join: Join, paths: Sequence[Path], main: Path) -> Path | None:
    """The file that a join adds: named, in the folders, or beside the first table."""
    named = [path for path in paths if not path.is_dir()]
    for name in join.files:
        if mine := [path for path in named if is_named(path, name)]:
            return mine[0]
    folders = [*(path for path in paths if path.is_dir()), main.parent]
    found = find_file(folders, join.files)
    if found is None and not join.is_optional:
        raise DataError(
            f"{folders[0]} has no {' or '.join(join.files)}, which joins {main.name} by {', '.join(join.by)}; "
            "put it beside the labels, or name it too"
        )
    return found


def _joined(rows: pl.DataFrame, other: pl.DataFrame, join: Join, path: Path) -> tuple[pl.DataFrame, list[str]]:
    """Rows with the columns of another table, and a note about how many have a partner there."""
    _require_keys(rows, other, join, path)
    keys = list(join.by.values())
    _require_once(other, keys, path)
    fresh = [name for name in other.columns if name not in rows.columns and name not in keys]
    joined = rows.join(
        other.select(*keys, *fresh, pl.lit(value=True).alias("#joined")),
        left_on=list(join.by), right_on=keys, how="left", maintain_order="left",
    )  # fmt: skip
    alone = joined["#joined"].null_count()
    if alone == rows.height:
        raise DataError(_no_partner(rows, other, join, path))
    note = f"{path.name}: joined to {counted(rows.height - alone, 'row')} by {', '.join(join.by)}"
    return joined.drop("#joined"), [note + (f"; {counted(alone, 'row')} without a partner there" if alone else "")]


def _require_keys(rows: pl.DataFrame, other: pl.DataFrame, join: Join, path: Path) -> None:
    """Refuse a join by columns that are not there."""
    for names, sheet, where in ((join.by, rows, rows[FILE][0]), (join.by.values(), other, path)):
        if lacking := [name for name in names if name not in sheet.columns]:
            raise DataError(f"{where} lacks the column {lacking[0]!r} that joins the tables; it has {_shown(sheet)}")


def _shown(sheet: pl.DataFrame) -> str:
    return ", ".join(repr(name) for name in sheet.columns if not name.startswith("#"))


def _require_once(other: pl.DataFrame, keys: list[str], path: Path) -> None:
    """Refuse a table whose key stands in several rows: a join would double rows."""
    twice = other.filter(pl.struct(keys).is_duplicated())
    if twice.height:
        first = twice.filter(pl.all_horizontal(pl.col(key).eq_missing(pl.lit(twice[key][0])) for key in keys))
        at = " and ".join(map(str, first[LINE][:2]))
        raise DataError(
            f"{path}, lines {at}: {', '.join(keys)} {', '.join(str(twice[key][0]) for key in keys)} stands in "
            f"several rows, so joining it would double rows ({counted(twice.height, 'such row')}); join by more columns"
        )


def _no_partner(rows: pl.DataFrame, other: pl.DataFrame, join: Join, path: Path) -> str:
    """The message where two tables have no key in common."""
    (mine, theirs), *_ = join.by.items()
    ours, others = rows[mine].drop_nulls(), other[theirs].drop_nulls()
    hint = "is it the file of the same release?"
    if set(map(_plain, ours[:1000])) & set(map(_plain, others)):
        hint = "they differ only by zeros, '.0' or case; write both alike"
    return (
        f"{path} does not join {rows[FILE][0]}: no {mine} of one stands in the other "
        f"(first: {ours[0] if ours.len() else 'none'}; there: {others[0] if others.len() else 'none'}); {hint}"
    )


def _plain(key: str) -> str:
    """A key without what spreadsheets add or drop."""
    return folded(key).removesuffix(".0").lstrip("0")
