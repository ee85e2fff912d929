"""Where a format's columns stand in a sheet: by name, by another spelling of it, as part of a cell, or put together."""

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from cxrbench.config import Column, columns_in
from cxrbench.config.labelling import IN_BRACES
from cxrbench.config.vocabulary import folded
from cxrbench.errors import DataError


def find_column(sheet: pl.DataFrame, name: str) -> str | None:
    """Return the sheet's column of a name, or the one whose spelling differs by case, blanks, ``_`` or ``-`` alone."""
    if name in sheet.columns:
        return name
    alike = [own for own in shown_columns(sheet) if folded(own) == folded(name)]
    return alike[0] if len(alike) == 1 else None


def shown_columns(sheet: pl.DataFrame) -> list[str]:
    """Return the columns that are the file's own."""
    return [name for name in sheet.columns if not name.startswith("#") or name.startswith("# ")]


def has_column(sheet: pl.DataFrame, name: str) -> bool:
    """Return whether a sheet has a column, or all columns of a template."""
    return all(find_column(sheet, each) is not None for each in columns_in(name))


def cell_of(sheet: pl.DataFrame, column: Column) -> pl.Expr | None:
    """Return the cells of the first of a column's names that the sheet has; None where it has none of them."""
    for name in column.name:
        if has_column(sheet, name):
            cell = _put_together(sheet, name)
            return cell if column.pattern is None else cell.str.extract(column.pattern, 1)
    return None


def _put_together(sheet: pl.DataFrame, name: str) -> pl.Expr:
    """A column, or the cells of several as a template sets them together; null where one of them is."""
    needed = [str(find_column(sheet, each)) for each in columns_in(name)]
    if not IN_BRACES.search(name):
        return pl.col(needed[0])
    template = IN_BRACES.sub("{}", name)
    return pl.format(template, *(pl.col(each) for each in needed))


def require_columns(sheet: pl.DataFrame, needed: Iterable[tuple[str, ...]], *, form: str, path: Path) -> None:
    """Refuse a sheet that lacks a column which a format names.

    Args:
        sheet: The rows.
        needed: The names that each column may have.
        form: Name of the format, for the message.
        path: The file, for the message.

    Raises:
        DataError: The columns that are not there, and those that are.
    """
    lacking = [names for names in needed if not any(has_column(sheet, name) for name in names)]
    if lacking:
        wanted = " and ".join(" or ".join(map(repr, names)) for names in lacking)
        found = ", ".join(map(repr, shown_columns(sheet)))
        raise DataError(f"{path} lacks the column {wanted} of the {form} format; it has {found}{_hint(sheet)}")


def _hint(sheet: pl.DataFrame) -> str:
    """What may have gone wrong where a file has one column alone."""
    columns = shown_columns(sheet)
    marks = [mark for mark in (";", "\t", ",", "|") if len(columns) == 1 and mark in columns[0]]
    return f". Its cells are separated by {marks[0]!r}: set delimiter to that, or leave it out" if marks else ""
