"""Bytes of a label file: unpacked, and decoded whatever their encoding."""

import bz2
import codecs
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from cxrbench.errors import DataError

PACKED: tuple[tuple[bytes, Callable[[IO[bytes]], Any]], ...] = (
    (b"\x1f\x8b", lambda file: gzip.GzipFile(fileobj=file)),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
    (b"BZh", bz2.BZ2File),
)
ZIP = b"PK\x03\x04"
LONGEST_MARK = 6
WORKBOOK = "[Content_Types].xml"
BROKEN = (EOFError, OSError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError)

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
WINDOWS = "cp1252"
CONTROL = frozenset(range(32)) - frozenset(b"\t\n\r\f\x1a\x1b")
"""Bytes that no text of one byte per letter holds."""


def read_content(path: Path, *, limit: int = -1) -> bytes:
    """Return a file's bytes, unpacked where it is a gzip, xz, bzip2 or zip file.

    Args:
        path: The file.
        limit: Bytes to return at most; -1: all.

    Raises:
        DataError: It cannot be read or unpacked, or is a zip of several files.
    """
    try:
        with path.open("rb") as file:
            mark = file.read(LONGEST_MARK)
            file.seek(0)
            unpack = _unpacking(mark, path)
            if unpack is None:
                return file.read(limit)
            return _unpacked(file, unpack, path, limit)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None


def _unpacking(mark: bytes, path: Path) -> Callable[[IO[bytes]], Any] | None:
    """Return what opens a packed file that begins with ``mark``; None for one that is not packed."""
    if mark.startswith(ZIP):
        return lambda file: _only_member(file, path)
    return next((unpack for start, unpack in PACKED if mark.startswith(start)), None)


def _unpacked(file: IO[bytes], unpack: Callable[[IO[bytes]], Any], path: Path, limit: int) -> bytes:
    try:
        with unpack(file) as packed:
            return bytes(packed.read(limit))
    except BROKEN as error:
        raise DataError(f"{path} is packed but cannot be unpacked ({error}); fetch it again") from None


def _only_member(file: IO[bytes], path: Path) -> IO[bytes]:
    """Open the one file in a zip; what archivers of other systems add does not count."""
    packed = zipfile.ZipFile(file)
    names = [name for name in packed.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
    if WORKBOOK in names:
        raise DataError(f"{path} is a spreadsheet's workbook; save the sheet with the labels as CSV")
    if len(names) != 1:
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        raise DataError(f"{path} holds {len(names)} files ({shown or 'none'}); unpack it and name the label file")
    return packed.open(names[0])


def decode(content: bytes, path: Path, *, encoding: str | None = None) -> tuple[str, tuple[str, ...]]:
    """Return the text of a file and a note where its encoding was guessed.

    Args:
        content: Bytes of the file.
        path: The file, for messages.
        encoding: Its encoding; None: a byte-order mark, UTF-8, UTF-16 without a mark, or Windows' cp1252.

    Raises:
        DataError: It is no text, or not in the encoding that was named.
    """
    found = encoding or _encoding(content, path)
    try:
        text = content.decode(found)
    except LookupError:
        raise DataError(f"{path}: no encoding is called {found!r}; use utf-8, utf-16 or cp1252") from None
    except UnicodeError as error:
        raise DataError(f"{path} is not a text file in {found} ({error.args[-1]}); leave encoding out") from None
    note = (f"{path.name} is not UTF-8; read as {found}",) if found == WINDOWS and encoding is None else ()
    return text.removeprefix("\ufeff"), note


def _encoding(content: bytes, path: Path) -> str:
    """Return the encoding that the bytes speak for."""
    for mark, name in MARKS:
        if content.startswith(mark):
            return name
    if b"\0" in content[:4096]:
        return _without_mark(content, path)
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        if CONTROL.intersection(content):
            raise DataError(_no_text(path)) from None
        return WINDOWS
    return "utf-8"


def _without_mark(content: bytes, path: Path) -> str:
    """Return which UTF-16 a text is in: every other byte of Latin letters is zero."""
    start = content[: 4096 // 2 * 2]
    if not start[::2].count(0) and start[1::2].count(0) > len(start) // 8:
        return "utf-16-le"
    if not start[1::2].count(0) and start[::2].count(0) > len(start) // 8:
        return "utf-16-be"
    raise DataError(_no_text(path))


def _no_text(path: Path) -> str:
    return f"{path} is not a text file; expected a table as CSV, JSON, Parquet or Feather"
