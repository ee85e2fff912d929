"""Tables as they are in the wild: CSV, JSON, Parquet or Feather, read as text, every row with its line number."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from cxrbench.data.tables.contents import decode, read_content
from cxrbench.data.tables.wording import counted
from cxrbench.errors import DataError

LINE = "#line"
"""Column that holds each row's line in the file, for messages."""

UNNAMED = re.compile(r"\s*(_duplicated_\d+)?")
"""What polars calls a column that has no name."""

DELIMITERS = (",", ";", "\t", "|")
TITLE_LINES = 10
"""Lines above the header at most: a title, a date, a blank line."""

BEGINNING_BYTES = 1 << 18

PARQUET, FEATHER = b"PAR1", b"ARROW1"


@dataclass(frozen=True)
class Sheet:
    """The rows of a file, each cell text, and what had to be guessed."""

    rows: pl.DataFrame
    notes: tuple[str, ...] = ()


def read_sheet(path: Path, *, delimiter: str | None = None) -> pl.DataFrame:
    """Return the rows of a table's file; see ``open_sheet``."""
    return open_sheet(path, delimiter=delimiter).rows


def open_sheet(
    path: Path,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    expected: Collection[str] = (),
    rows: int | None = None,
) -> Sheet:
    """Read a table's file as text, packed or not.

    Commas at the end of lines, blank lines, blanks around cells and a byte-order mark do not matter.

    Args:
        path: CSV, JSON (a list of objects, or one a line), Parquet or Feather; the content decides.
        delimiter: Between cells of a CSV; None: as its header shows.
        encoding: Of a CSV or JSON; None: detected.
        rows: Read this many alone; None: all.
        expected: Names of columns that tell the header from a title above it.

    Returns:
        One row per line that is not blank, in the file's order; every column is text, blank cells are
        null; ``LINE`` is the line in the file, a CSV's header being 1.

    Raises:
        DataError: No such file, not a table, no rows, or a row with more cells than the header.
    """
    content = _beginning(path) if rows is not None else None
    content = content or read_content(path)
    if content.startswith((PARQUET, FEATHER)):
        return Sheet(_filled(_named(_columnar(content, path), path), path, 1))
    text, notes = decode(content, path, encoding=encoding)
    if text.lstrip()[:1] in {"[", "{"}:
        return Sheet(_filled(_named(_from_json(text, path), path), path, 1), notes)
    found = _header(text, delimiter, expected)
    cells = _named(_from_csv(found, path, rows), path)
    skipped = (f"{path.name}: {counted(found.lines_above, 'line')} above the header skipped",) if found.is_below else ()
    return Sheet(_filled(cells, path, found.lines_above + 2), (*notes, *skipped))


def _beginning(path: Path) -> bytes | None:
    """The first lines of a CSV of one byte per letter, without reading the rest; None for all other files."""
    head = read_content(path, limit=BEGINNING_BYTES)
    if len(head) < BEGINNING_BYTES or b"\0" in head or head.lstrip()[:1] in {b"[", b"{"}:
        return None
    return head[: head.rfind(b"\n")]


def _filled(cells: pl.DataFrame, path: Path, first: int) -> pl.DataFrame:
    """The rows that say something, with their lines."""
    for name in cells.columns:  # all at once, each would be in memory twice
        cells = cells.with_columns(_stripped(pl.col(name)))
    rows = cells.with_row_index(LINE, offset=first).filter(~pl.all_horizontal(pl.all().exclude(LINE).is_null()))
    if rows.is_empty():
        raise DataError(f"{path} is empty: it has a header but no rows")
    return rows


def _named(raw: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Only the columns that have a name, as commas at the header's end make more; none has a name twice."""
    first = {name: name.removesuffix("_duplicated_0").strip() for name in raw.columns}
    doubled = [name for name, count in Counter(first.values()).items() if name and count > 1]
    if doubled:
        raise DataError(f"{path} has the column {doubled[0]!r} twice; rename one")
    return raw.select(pl.col(name).alias(name.strip()) for name in raw.columns if not UNNAMED.fullmatch(name))


def _stripped(cells: pl.Expr) -> pl.Expr:
    """Cells without the blanks around them; empty ones become null."""
    text = cells.str.strip_chars()
    return pl.when(text != "").then(text)


@dataclass(frozen=True)
class _Header:
    """A CSV's text from its header on."""

    text: str
    delimiter: str
    lines_above: int
    is_below: bool


def _header(text: str, delimiter: str | None, expected: Collection[str]) -> _Header:
    """Find the header and the delimiter: where most of the expected names stand, else the first line."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n", TITLE_LINES)[:TITLE_LINES]
    wanted = {" ".join(name.split()) for name in expected}
    choices = [
        (len(wanted & _cells(line, mark)), row, mark)
        for row, line in enumerate(lines)
        for mark in ([delimiter] if delimiter else DELIMITERS)
    ]
    score, row, mark = max(choices, key=lambda choice: choice[0])
    if not score:
        row = next((number for number, line in enumerate(lines) if line.strip()), 0)
        mark = delimiter or max(DELIMITERS, key=lambda each: len(_cells(lines[row], each)))
    is_below = any(line.strip() for line in lines[:row])
    return _Header(text.split("\n", row)[row], mark, row, is_below)


def _cells(line: str, delimiter: str) -> set[str]:
    """The cells of one line."""
    try:
        return {" ".join(cell.split()) for cell in next(csv.reader([line], delimiter=delimiter), [])}
    except csv.Error:
        return set()


def _from_csv(found: _Header, path: Path, rows: int | None) -> pl.DataFrame:
    """The file as polars reads it; only commas at the end of lines are forgiven."""
    content = found.text.encode()
    try:
        return _polars(content, found.delimiter, rows, is_ragged=False)
    except pl.exceptions.NoDataError:
        raise DataError(f"{path} is empty") from None
    except pl.exceptions.PolarsError as error:
        _refuse_what_is_no_csv(path, found)
        if "more fields" not in str(error):
            raise DataError(f"{path} is not a CSV file: {str(error).splitlines()[0]}") from None
    return _polars(content, found.delimiter, rows, is_ragged=True)


def _polars(content: bytes, delimiter: str, rows: int | None, *, is_ragged: bool) -> pl.DataFrame:
    """Every cell as text."""
    return pl.read_csv(content, separator=delimiter, infer_schema=False, truncate_ragged_lines=is_ragged, n_rows=rows)


def _refuse_what_is_no_csv(path: Path, found: _Header) -> None:
    """Say in which line the file breaks; return when no cell stands past the header's last column but blank ones."""
    try:
        reader = csv.reader(io.StringIO(found.text, newline=""), delimiter=found.delimiter, strict=True)
        width = len(next(reader))
        broken = next((row for row in reader if any(cell.strip() for cell in row[width:])), None)
    except csv.Error as problem:
        raise DataError(f"{path} is not a CSV file: {problem}") from None
    if broken is not None:
        raise DataError(
            f"{path}, line {reader.line_num + found.lines_above}: {len(broken)} cells under a header of {width}; "
            f"quote cells that contain {found.delimiter!r}"
        )


def _from_json(text: str, path: Path) -> pl.DataFrame:
    """A list of objects, an object of lists, or an object a line, as text; lists in them stay JSON."""
    try:
        records = list(_records(json.loads(text)))
    except json.JSONDecodeError:
        records = [_line(line, number, path) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not records or not all(isinstance(record, dict) for record in records):
        raise DataError(f"{path} is JSON, but no list of objects with a key per column")
    names = list(dict.fromkeys(str(name) for record in records for name in record))
    return pl.DataFrame(
        {name: [_text(record.get(name)) for record in records] for name in names},
        schema=dict.fromkeys(names, pl.String),
    )


def _records(value: Any) -> Iterator[Any]:
    """The rows of a JSON document."""
    if isinstance(value, dict) and value and all(isinstance(column, list) for column in value.values()):
        yield from (dict(zip(value, cells, strict=False)) for cells in zip(*value.values(), strict=False))
    else:
        yield from value if isinstance(value, list) else [value]


def _line(line: str, number: int, path: Path) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {number} is not JSON: {error.msg}") from None


def _text(value: Any) -> str | None:
    """A JSON value as a cell."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _columnar(content: bytes, path: Path) -> pl.DataFrame:
    """A Parquet or Feather file, as text."""
    read = pl.read_parquet if content.startswith(PARQUET) else pl.read_ipc
    try:
        table = read(io.BytesIO(content))
        return table.select(_as_text(table, name) for name in table.columns)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"cannot read {path}: {str(error).splitlines()[0]}") from None


def _as_text(table: pl.DataFrame, name: str) -> pl.Expr:
    """A column as text; numbers that are none are blank, and lists become JSON."""
    dtype = table.schema[name]
    if dtype.is_nested() or dtype == pl.Object:
        return pl.lit(pl.Series(name, [_text(_plain(cell)) for cell in table[name].to_list()], dtype=pl.String))
    column = pl.col(name).fill_nan(None) if dtype.is_float() else pl.col(name)
    return column.cast(pl.String)


def _plain(cell: Any) -> Any:
    """A nested cell as JSON holds it."""
    if isinstance(cell, list):
        return [_plain(each) for each in cell]
    return cell if cell is None or isinstance(cell, str | int | float | bool | dict) else str(cell)
