"""A printed table as a value, and the same table as CSV and as LaTeX with booktabs."""

import csv
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from cxrbench.report.words import NOTHING

ESCAPES = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": r"$-$",
    "–": "--",
    "×": r"$\times$",
    "†": r"$^\dagger$",
    "←": r"$\leftarrow$",
    "→": r"$\rightarrow$",
    "\u202f": r"\,",
    "<": r"$<$",
    ">": r"$>$",
}


@dataclass(frozen=True)
class Cell:
    """One value as it is printed."""

    text: str
    detail: str = ""
    """Smaller, below the text: an SD, a share."""
    is_best: bool = False
    reason: str = ""
    """Reason why there is no value."""
    share: float | None = None
    """0 to 1: length of a bar behind the value."""
    of: tuple[str, ...] = ()
    """Approaches whose test results went into the value; empty for counts and the like."""
    mark: str = ""
    """Sign behind the value that the table's note explains."""

    def __str__(self) -> str:
        return f"{self.text}{self.mark} {self.detail}".strip()

    def of_approaches(self, *names: str) -> "Cell":
        """Return the same cell, its value resting on the test results of these approaches."""
        return replace(self, of=names)


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    head: str
    cells: tuple[Cell, ...]
    is_summary: bool = False
    """Set apart from the rows above it."""


@dataclass(frozen=True)
class Table:
    """Rows that are printed under one caption."""

    name: str
    """File name without its ending."""
    caption: str
    columns: tuple[str, ...]
    """Headings of the row heads and of the cells."""
    rows: tuple[Row, ...]
    note: str = ""
    is_text: bool = False
    """Cells hold words rather than numbers."""


def cells(texts: Sequence[str], *, of: tuple[str, ...] = ()) -> tuple[Cell, ...]:
    """Plain cells.

    Args:
        texts: Text of each cell.
        of: Approaches whose test results went into all of them.
    """
    return tuple(Cell(text, of=of) for text in texts)


def marked(table: Table, approaches: Collection[str], *, mark: str, note: str) -> Table:
    """Put a mark behind every number that one of some approaches went into, and explain it below the table."""
    if not any(_is_of(cell, approaches) for row in table.rows for cell in row.cells):
        return table
    rows = (
        replace(row, cells=tuple(replace(cell, mark=mark) if _is_of(cell, approaches) else cell for cell in row.cells))
        for row in table.rows
    )
    return replace(table, rows=tuple(rows), note=f"{table.note} {note}".strip())


def _is_of(cell: Cell, approaches: Collection[str]) -> bool:
    return cell.text != NOTHING and not set(approaches).isdisjoint(cell.of)


def to_csv(table: Table) -> str:
    """The printed table as CSV; a value and its detail share a cell."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([row.head, *map(str, row.cells)] for row in table.rows)
    return buffer.getvalue()


def to_latex(table: Table) -> str:
    r"""A ``table`` environment; the paper's preamble needs ``\usepackage{booktabs}``."""
    columns = len(table.columns)
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(table.caption)}}}",
        rf"\label{{tab:{table.name}}}",
        rf"\begin{{tabular}}{{l{('l' if table.is_text else 'r') * (columns - 1)}}}",
        r"\toprule",
        _latex_line(map(escaped, table.columns)),
        r"\midrule",
    ]
    for row in table.rows:
        if row.is_summary and not lines[-1].startswith(r"\midrule"):
            lines.append(r"\midrule")
        lines.append(_latex_line([escaped(row.head), *map(_latex_cell, row.cells)]))
    note = [rf"\par\smallskip\footnotesize {escaped(table.note)}"] if table.note else []
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", *note, r"\end{table}"]) + "\n"


def escaped(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(ESCAPES.get(sign, sign) for sign in text)


def _latex_line(parts: "map[str] | list[str]") -> str:
    return " & ".join(parts) + r" \\"


def _latex_cell(cell: Cell) -> str:
    """Best in bold; the detail beside the value."""
    text = rf"\textbf{{{escaped(cell.text)}}}" if cell.is_best else escaped(cell.text)
    return f"{text}{escaped(cell.mark)} {escaped(cell.detail)}".strip()
