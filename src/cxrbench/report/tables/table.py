"""A table as a value, from which HTML, LaTeX and CSV are written alike."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One value as it is printed."""

    text: str
    detail: str = ""
    """Smaller, below the text: an SD, a share."""
    is_best: bool = False
    reason: str = ""
    """Why there is no value."""
    share: float | None = None
    """0 to 1: length of a bar behind the value."""

    def __str__(self) -> str:
        return f"{self.text} {self.detail}".strip()


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    head: str
    cells: tuple[Cell, ...]
    is_summary: bool = False
    """Set apart from the rows above it."""


@dataclass(frozen=True)
class Table:
    """What is printed under one caption."""

    name: str
    """File name without its ending."""
    caption: str
    columns: tuple[str, ...]
    """Of the row heads and of the cells."""
    rows: tuple[Row, ...]
    note: str = ""
    is_text: bool = False
    """Whether cells hold words rather than numbers."""


def cells(texts: Sequence[str]) -> tuple[Cell, ...]:
    """Plain cells."""
    return tuple(Cell(text) for text in texts)


def to_csv(table: Table) -> str:
    """The printed table as CSV; a value and its detail share a cell."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([row.head, *map(str, row.cells)] for row in table.rows)
    return buffer.getvalue()
