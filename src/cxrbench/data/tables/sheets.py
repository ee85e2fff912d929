"""CSV files as they are in the wild: read as text, every row with its line number."""

import csv
import io
import re
from collections import Counter
from pathlib import Path

import polars as pl

from cxrbench.errors import DataError

LINE = "#line"
"""Column that holds each row's line in the file, for messages."""

ENCODING = "utf-8-sig"

UNNAMED = re.compile(r"\s*(_duplicated_\d+)?")
"""What polars calls a column that has no name."""


def read_sheet(path: Path, *, delimiter: str = ",") -> pl.DataFrame:
    """Read a CSV file as text.

    Commas at the end of lines, blank lines, blanks around cells and a byte-order mark do not matter.

    Returns:
        One row per line that is not blank, in the file's order; every column is text, blank cells are
        null; ``LINE`` is the line in the file, the header's being 1.

    Raises:
        DataError: No such file, not a CSV in UTF-8, no rows, or a row with more cells than the header.
    """
    cells = _named(_parse(path, delimiter), path)
    for name in cells.columns:  # all at once, each would be in memory twice
        cells = cells.with_columns(_stripped(pl.col(name)))
    rows = cells.with_row_index(LINE, offset=2).filter(~pl.all_horizontal(pl.all().exclude(LINE).is_null()))
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


def _parse(path: Path, delimiter: str) -> pl.DataFrame:
    """The file as polars reads it; only commas at the end of lines are forgiven."""
    content = _read(path)
    try:
        return _polars(content, delimiter, is_ragged=False)
    except pl.exceptions.NoDataError:
        raise DataError(f"{path} is empty") from None
    except pl.exceptions.PolarsError as error:
        _refuse_what_is_no_csv(path, content, delimiter)
        if "more fields" not in str(error):
            raise DataError(f"{path} is not a CSV file: {str(error).splitlines()[0]}") from None
    return _polars(content, delimiter, is_ragged=True)


def _read(path: Path) -> bytes:
    """The whole file, once it is sure that it is text; polars itself would take [ and * in its name for a pattern."""
    try:
        content = path.read_bytes()
        content.decode(ENCODING)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a text file in UTF-8; save it as CSV in UTF-8") from None
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _polars(content: bytes, delimiter: str, *, is_ragged: bool) -> pl.DataFrame:
    """Every cell as text."""
    return pl.read_csv(content, separator=delimiter, infer_schema=False, truncate_ragged_lines=is_ragged)


def _refuse_what_is_no_csv(path: Path, content: bytes, delimiter: str) -> None:
    """Say in which line the file breaks; return when no cell stands past the header's last column but blank ones."""
    try:
        reader = csv.reader(io.StringIO(content.decode(ENCODING), newline=""), delimiter=delimiter, strict=True)
        width = len(next(reader))
        broken = next((row for row in reader if any(cell.strip() for cell in row[width:])), None)
    except csv.Error as problem:
        raise DataError(f"{path} is not a CSV file: {problem}") from None
    if broken is not None:
        raise DataError(
            f"{path}, line {reader.line_num}: {len(broken)} cells under a header of {width}; "
            f"quote cells that contain {delimiter!r}"
        )
