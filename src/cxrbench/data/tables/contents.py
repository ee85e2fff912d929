"""Bytes of a label file: unpacked, and decoded whatever their encoding."""

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from cxrbench.errors import DataError

PACKED: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
    (b"\x1f\x8b", gzip.decompress),
    (b"\xfd7zXZ\x00", lzma.decompress),
    (b"BZh", bz2.decompress),
)
ZIP = b"PK\x03\x04"
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


def read_content(path: Path) -> bytes:
    """Return a file's bytes, unpacked where it is a gzip, xz, bzip2 or zip file.

    Raises:
        DataError: It cannot be read or unpacked, or is a zip of several files.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    try:
        return _unpacked(content, path)
    except BROKEN as error:
        raise DataError(f"{path} is packed but cannot be unpacked ({error}); fetch it again") from None


def _unpacked(content: bytes, path: Path) -> bytes:
    for mark, unpack in PACKED:
        if content.startswith(mark):
            return unpack(content)
    return _only_member(content, path) if content.startswith(ZIP) else content


def _only_member(content: bytes, path: Path) -> bytes:
    """Return the one file in a zip; what archivers of other systems add does not count."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        names = [name for name in packed.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
        if WORKBOOK in names:
            raise DataError(f"{path} is a spreadsheet's workbook; save the sheet with the labels as CSV")
        if len(names) != 1:
            shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
            raise DataError(f"{path} holds {len(names)} files ({shown or 'none'}); unpack it and name the label file")
        return packed.read(names[0])


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
