"""A list of films on disk, however long: each film once, in row groups of one part each.

Neither writing nor reading holds more than a part in memory.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from cxrbench.errors import DataError
from cxrbench.predict.preparation import Request

Row = tuple[str, float | None, str | None, str | None]
"""Absolute path, age, sex and view position."""

SCHEMA = pl.Schema({"path": pl.String, "age_years": pl.Float64, "sex": pl.String, "view": pl.String})
_CREATE = """CREATE TABLE film
    (place INTEGER PRIMARY KEY, file TEXT UNIQUE, path TEXT, age_years REAL, sex TEXT, view TEXT)"""
_INSERT = """INSERT INTO film (file, path, age_years, sex, view) VALUES (?, ?, ?, ?, ?) ON CONFLICT (file)
    DO UPDATE SET age_years = coalesce(excluded.age_years, age_years), sex = coalesce(excluded.sex, sex),
    view = coalesce(excluded.view, view)"""
_SELECT = "SELECT path, age_years, sex, view FROM film ORDER BY place"


@dataclass(frozen=True)
class FilmList:
    """What identifies a list: its length, and the SHA-256 (hex) of its rows in their order."""

    films: int
    sha256: str


def write_list(requests: Iterable[Request], path: Path, *, part_size: int) -> FilmList:
    """Write films as they are found.

    A film that is found again keeps its place and takes what was said last, as in ``gather``.

    Args:
        requests: The films.
        path: Of the Parquet file.
        part_size: Films per row group.

    Raises:
        DataError: A file name is not UTF-8.
    """
    films, digest = 0, hashlib.sha256()
    with pq.ParquetWriter(path, SCHEMA.to_frame().to_arrow().schema) as writer:
        for rows in _each_once(requests, part_size):
            films += len(rows)
            for row in rows:
                digest.update(json.dumps(row).encode() + b"\n")
            writer.write_table(pl.DataFrame(rows, schema=SCHEMA, orient="row").to_arrow())
    return FilmList(films, digest.hexdigest())


def read_part(path: Path, number: int) -> tuple[Request, ...]:
    """The films of one part, counted from zero."""
    rows = pq.ParquetFile(path).read_row_group(number).to_pylist()
    return tuple(Request(**(row | {"path": Path(row["path"])})) for row in rows)


def _each_once(requests: Iterable[Request], size: int) -> Iterator[list[Row]]:
    """Rows in portions; what was seen lies in a file that has no name and goes with the connection."""
    with closing(sqlite3.connect("")) as seen:
        seen.execute("PRAGMA journal_mode = OFF")
        seen.execute(_CREATE)
        seen.executemany(_INSERT, ((os.path.realpath(one.path), *_row(one)) for one in requests))
        cursor = seen.execute(_SELECT)
        while rows := cursor.fetchmany(size):
            yield rows


def _row(request: Request) -> Row:
    path = str(request.path.absolute())
    try:
        path.encode()
    except UnicodeEncodeError:
        raise DataError(f"{path!r}: its name is not UTF-8; rename it") from None
    return path, request.age_years, request.sex, request.view
