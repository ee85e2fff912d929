"""Packed and encoded files."""

import bz2
import gzip
import io
import lzma
import zipfile

import pytest

from cxrbench.data.tables.contents import decode, read_content
from cxrbench.errors import DataError

TEXT = b"file,pid\na.png,1\n"


def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, content in files.items():
            packed.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "pack",
    [bytes, gzip.compress, lzma.compress, bz2.compress, lambda text: zipped(a=text)],
    ids=["plain", "gzip", "xz", "bzip2", "zip"],
)
def test_packed_files_are_unpacked_whatever_they_are_called(tmp_path, pack):
    (tmp_path / "labels.csv").write_bytes(pack(TEXT))
    assert read_content(tmp_path / "labels.csv") == TEXT


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (zipped(a=TEXT, b=TEXT), r"holds 2 files \(a, b\); unpack it and name the label file"),
        (zipped(**{"[Content_Types].xml": b"", "sheet.xml": b""}), "save the sheet with the labels as CSV"),
        (gzip.compress(TEXT)[:-6], "is packed but cannot be unpacked"),
        (zipped(a=TEXT)[:-30], "is packed but cannot be unpacked"),
    ],
    ids=["two files", "a workbook", "gzip cut short", "zip cut short"],
)
def test_what_cannot_be_unpacked_says_why(tmp_path, content, message):
    (tmp_path / "labels.zip").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_content(tmp_path / "labels.zip")


def test_what_an_archiver_adds_does_not_count(tmp_path):
    (tmp_path / "labels.zip").write_bytes(zipped(__MACOSX__a=b"x", a=TEXT).replace(b"/MACOSX", b"/MACOSX"))
    (tmp_path / "mac.zip").write_bytes(zipped(**{"a.csv": TEXT}))
    assert read_content(tmp_path / "mac.zip") == TEXT


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", bytes(range(256)), b"\x80\x81\x02\x03"])
def test_no_text_is_refused(tmp_path, content):
    with pytest.raises(DataError, match="is not a text file; expected a table as CSV, JSON, Parquet or Feather"):
        decode(content, tmp_path / "x")


def test_a_wrong_encoding_that_was_named_is_refused(tmp_path):
    with pytest.raises(DataError, match="is not a text file in utf-8"):
        decode("Köln".encode("cp1252"), tmp_path / "x", encoding="utf-8")
