"""A label file -> rows in our common columns, each of them checked."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cxrbench.config import Vocabulary
from cxrbench.data.tables.cells import Parsed, parse_ages, parse_follow_ups, parse_sexes, parse_views
from cxrbench.data.tables.labels import parse_labels
from cxrbench.data.tables.releases import Column, TableFormat
from cxrbench.data.tables.sheets import LINE, read_sheet
from cxrbench.data.tables.wording import first_of, images
from cxrbench.errors import DataError
from cxrbench.runs import TABLE_COLUMNS


@dataclass(frozen=True)
class Rows:
    """What a label file says.

    Attributes:
        table: One row per image in the file's order; the common columns, ``path`` all null, then the findings.
        names: The name or path of each row's image file.
        notes: What had to be treated as unknown, in words.
    """

    table: pl.DataFrame
    names: pl.Series
    notes: tuple[str, ...]


def read_rows(path: Path, form: TableFormat, *, vocabulary: Vocabulary) -> Rows:
    """Read a label file as ``form`` says.

    Raises:
        DataError: It is no CSV, lacks a column, lists an image twice, or has a row without image or patient or with
            an unknown finding; the message has the line.
    """
    whole = read_sheet(path, delimiter=form.delimiter)
    _require_columns(whole, form, path)
    sheet = _wanted(whole, form, path)
    cells = _cells(sheet, form)
    _require_filled(cells, form, path)
    _require_unique(cells, path)
    columns = _parse(cells, form)
    labels, notes = parse_labels(sheet, form.labels, vocabulary=vocabulary, whole=form.findings, where=path)
    table = pl.DataFrame([columns[name].values.alias(name) for name in TABLE_COLUMNS])
    names = cells.select(pl.coalesce("path", "image_id") + form.suffix).to_series()
    said = (note for name in TABLE_COLUMNS for note in columns[name].notes)
    skipped = _note_skipped(whole.height - sheet.height, form)
    return Rows(pl.concat([table, labels], how="horizontal"), names, (*skipped, *said, *notes))


def _require_columns(sheet: pl.DataFrame, form: TableFormat, path: Path) -> None:
    """Refuse a file that lacks a column which the format names."""
    needed = [column.name for _, column in _columns(form) if column is not None]
    needed += [(name,) for name in (form.labels.columns or {}).values()]
    needed += [(form.labels.column,)] if form.labels.column else []
    needed += [(name,) for name in form.only]
    if lacking := [names for names in needed if not set(names) & set(sheet.columns)]:
        wanted = " and ".join(" or ".join(map(repr, names)) for names in lacking)
        found = ", ".join(repr(name) for name in sheet.columns if name != LINE)
        raise DataError(f"{path} lacks the column {wanted} of the {form.name} format; it has {found}")


def _columns(form: TableFormat) -> list[tuple[str, Column | None]]:
    """Our columns and where the format finds them."""
    return [(name, getattr(form, name)) for name in TABLE_COLUMNS]


def _wanted(sheet: pl.DataFrame, form: TableFormat, path: Path) -> pl.DataFrame:
    """The rows that the format does not skip."""
    if not form.only:
        return sheet
    is_wanted = [pl.col(column).is_in(cells) for column, cells in form.only.items()]
    rows = sheet.filter(*is_wanted)
    if rows.is_empty():
        raise DataError(f"{path} has no row that the {form.name} format reads: only {_conditions(form)}")
    return rows


def _conditions(form: TableFormat) -> str:
    """Which rows are read, in words."""
    return " and ".join(f"{column!r} in {list(cells)}" for column, cells in form.only.items())


def _note_skipped(skipped: int, form: TableFormat) -> tuple[str, ...]:
    """Say how many rows were skipped."""
    return (f"{images(skipped)} skipped, as only {_conditions(form)} are read",) if skipped else ()


def _cells(sheet: pl.DataFrame, form: TableFormat) -> pl.DataFrame:
    """The cells under our names, as text; all null where the format has no such column."""
    nothing = pl.lit(None, dtype=pl.String)
    cells = {name: nothing if column is None else _cell(sheet, column) for name, column in _columns(form)}
    return sheet.select(LINE, **cells)


def _cell(sheet: pl.DataFrame, column: Column) -> pl.Expr:
    """A column by the first of its names that the file has, or the part of its cells that a pattern takes."""
    cell = pl.col(next(name for name in column.name if name in sheet.columns))
    return cell if column.pattern is None else cell.str.extract(column.pattern, 1)


def _require_filled(cells: pl.DataFrame, form: TableFormat, path: Path) -> None:
    """Refuse a row without an image or patient."""
    for name, column in (("image_id", form.image_id), ("patient_id", form.patient_id)):
        lines = cells.filter(pl.col(name).is_null())[LINE]
        if len(lines):
            by = f" by the pattern {column.pattern!r}" if column.pattern else ""
            raise DataError(
                f"{path}, line {lines[0]}: no {name} in column {' or '.join(map(repr, column.name))}{by} "
                f"({len(lines):,} such lines)"
            )


def _require_unique(cells: pl.DataFrame, path: Path) -> None:
    """Refuse an image that is listed twice."""
    twice = cells.filter(pl.col("image_id").is_duplicated()).group_by("image_id", maintain_order=True).agg(LINE)
    if twice.height:
        shown = first_of([f"{name} (lines {' and '.join(map(str, at))})" for name, at in twice.iter_rows()])
        raise DataError(f"{path} lists {images(twice.height)} more than once: {shown}; keep one line of each")


def _parse(cells: pl.DataFrame, form: TableFormat) -> dict[str, Parsed]:
    """The common columns, each with what had to be said about it."""
    return {
        "image_id": Parsed(cells["image_id"]),
        "path": Parsed(pl.Series([None] * cells.height, dtype=pl.String)),
        "patient_id": Parsed(cells["patient_id"]),
        "age_years": parse_ages(cells["age_years"]),
        "sex": parse_sexes(cells["sex"], words=form.sexes),
        "view": parse_views(cells["view"], words=form.views),
        "follow_up": parse_follow_ups(cells["follow_up"]),
    }
