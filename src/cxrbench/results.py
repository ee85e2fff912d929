"""Result tables: each is written, read and described from one schema."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from cxrbench.errors import StudyError

REMEDY = "evaluate the study again with `cxrbench report`"

Rows = pl.DataFrame | Mapping[str, Any] | Iterable[Any]
"""A frame, columns by name, or rows: mappings by column, or tuples in the order of the columns."""

BOOLEANS = {"true": True, "false": False}
WORDS: Mapping[Any, str] = {pl.Int64: "a whole number", pl.Float64: "a number", pl.Boolean: "true or false"}


@dataclass(frozen=True)
class Column:
    """One column of a result table.

    Attributes:
        name: Name in the file.
        type: Polars type: String, Int64, Float64 or Boolean.
        meaning: What a value says: unit and range, and when it is empty.
        is_added: Files of earlier versions may lack it, and so may frames.
        older: Its value there.
    """

    name: str
    type: Any
    meaning: str
    is_added: bool = False
    older: Any = None


@dataclass(frozen=True)
class ResultTable:
    """A kind of result table.

    Attributes:
        file: File name, which ends in ``.csv`` or ``.parquet``.
        summary: What one row is, in a line.
        columns: Columns, in the order of the file.
        is_optional: An absent file reads as an empty table.
        remedy: What to do about a file that cannot be read.
    """

    file: str
    summary: str
    columns: tuple[Column, ...]
    is_optional: bool = False
    remedy: str = REMEDY

    @property
    def name(self) -> str:
        """File name without its ending."""
        return self.file.rpartition(".")[0]

    @property
    def schema(self) -> dict[str, Any]:
        """Polars type of each column."""
        return {column.name: column.type for column in self.columns}

    def empty(self) -> pl.DataFrame:
        """Return a table without rows."""
        return pl.DataFrame(schema=self.schema)

    def frame(self, rows: Rows = ()) -> pl.DataFrame:
        """Return rows as a table; a key that a row lacks is null.

        Raises:
            ValueError: A column is unknown or absent, or holds another type.
        """
        if isinstance(rows, pl.DataFrame):
            return self._checked(rows)
        if isinstance(rows, Mapping):
            return self._checked(pl.DataFrame(rows))
        listed = list(rows)
        for row in listed:
            if isinstance(row, Mapping) and (strangers := [name for name in row if name not in self.schema]):
                raise ValueError(f"{self.file} has no column {strangers[0]!r}; columns: {', '.join(self.schema)}")
        return pl.DataFrame(listed, schema=self.schema, orient="row")

    def write(self, folder: Path, frame: pl.DataFrame) -> Path:
        """Write a table into a folder and return its path.

        Raises:
            ValueError: A column is unknown or absent, or holds another type.
        """
        path, checked = folder / self.file, self._checked(frame)
        if path.suffix == ".parquet":
            checked.write_parquet(path)
        else:
            checked.write_csv(path)
        return path

    def read(self, folder: Path) -> pl.DataFrame:
        """Read a table of a folder of results; columns that the schema does not name are left out.

        Raises:
            StudyError: The file is absent or damaged, lacks a column, or has a value of another type.
        """
        path = folder / self.file
        if self.is_optional and not path.exists():
            return self.empty()
        raw = self._cells(path)
        return self.empty() if raw is None else raw.select(self._column(raw, column, path) for column in self.columns)

    def markdown(self) -> str:
        """Return the columns as a table in Markdown."""
        lines = [f"| `{column.name}` | {_type_name(column.type)} | {column.meaning} |" for column in self.columns]
        return "\n".join(("| column | type | meaning |", "|---|---|---|", *lines))

    def _checked(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return a frame with the schema's columns and types, in its order."""
        added = {one.name: one.older for one in self.columns if one.is_added and one.name not in frame.columns}
        frame = frame.with_columns(pl.lit(older).alias(name) for name, older in added.items())
        if missing := [name for name in self.schema if name not in frame.columns]:
            raise ValueError(f"{self.file} needs a column {missing[0]!r}; there are {', '.join(frame.columns)}")
        if strangers := [name for name in frame.columns if name not in self.schema]:
            raise ValueError(f"{self.file} has no column {strangers[0]!r}; columns: {', '.join(self.schema)}")
        for name, wanted in self.schema.items():
            if not _fits(frame.schema[name], wanted):
                raise ValueError(f"{self.file}: column {name!r} should be {wanted}, not {frame.schema[name]}")
        return frame.select(pl.col(name).cast(kind) for name, kind in self.schema.items())

    def _cells(self, path: Path) -> pl.DataFrame | None:
        """Return a file's cells, those of a CSV as text; None for an empty file."""
        try:
            return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)
        except pl.exceptions.NoDataError:
            return None
        except FileNotFoundError:
            raise self._error(f"{path} cannot be read (it does not exist)") from None
        except (OSError, pl.exceptions.PolarsError) as error:
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise self._error(f"{path} cannot be read ({said})") from None

    def _column(self, raw: pl.DataFrame, column: Column, path: Path) -> pl.Series:
        """Return one column of a file in the schema's type."""
        if column.name not in raw.columns:
            if column.is_added:
                return pl.Series(column.name, [column.older] * raw.height, dtype=column.type)
            raise self._error(f"{path} has no column {column.name!r}")
        values = raw[column.name]
        typed = _typed(values, column.type)
        if typed is None:
            raise self._error(f"{path}: column {column.name!r} should be {column.type}, not {values.dtype}")
        wrong = (typed.is_null() & values.is_not_null()).arg_true()
        if wrong.len():
            row, word = int(wrong[0]), WORDS[column.type]
            raise self._error(f"{path}, row {row + 1}, column {column.name!r}: {values[row]!r} is not {word}")
        return typed

    def _error(self, said: str) -> StudyError:
        """Return an error with the remedy."""
        return StudyError(f"{said}; {self.remedy}")


def _fits(given: pl.DataType, wanted: Any) -> bool:
    """Say if values of one type are values of another."""
    if given in (wanted, pl.Null):
        return True
    return (given.is_integer() and wanted == pl.Int64) or (given.is_numeric() and wanted == pl.Float64)


def _typed(values: pl.Series, wanted: Any) -> pl.Series | None:
    """Return values in the wanted type, null where one is no such value; None for values of another type."""
    if values.dtype == pl.String and wanted == pl.Boolean:
        return values.replace_strict(BOOLEANS, default=None, return_dtype=pl.Boolean)
    if values.dtype == pl.String or _fits(values.dtype, wanted):
        return values.cast(wanted, strict=False)
    return None


def _type_name(kind: Any) -> str:
    """Return the type's word on the page of results."""
    return {pl.String: "text", pl.Int64: "integer", pl.Float64: "number", pl.Boolean: "true or false"}[kind]
