"""CSV files as text with line numbers."""

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrbench.data.tables.sheets import LINE, read_sheet
from cxrbench.errors import DataError

CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Z"]), max_size=8)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("sheets") / "sheet.csv"


def written(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@given(rows=st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=6), end=st.sampled_from(["\n", "\r\n"]))
def test_reads_what_the_csv_module_wrote(path, rows, end):
    stream = io.StringIO()
    csv.writer(stream, lineterminator=end).writerows([("a", "b", "c"), *rows])
    expected = [tuple(cell or None for cell in row) for row in rows if any(row)]
    written(path, stream.getvalue())
    if expected:
        assert read_sheet(path).drop(LINE).rows() == expected
    else:
        with pytest.raises(DataError, match="no rows"):
            read_sheet(path)


@pytest.mark.parametrize(
    "content",
    [
        "a,b\nx,1\ny,\n",
        "a,b,\nx,1,\ny,,\n",  # a comma at the end of every line
        "a,b\nx,1,\ny,,,\n",  # ... of the rows alone
        "a,b,,,\nx,1\ny\n",  # ... of the header alone
        "\ufeffa,b\r\nx,1\r\ny,\r\n",
        " a , b\n x ,1 \ny,  \n",
        '"a","b"\n"x","1"\n"y",\n',
    ],
)
def test_forgives_what_spreadsheets_do(path, content):
    sheet = read_sheet(written(path, content))
    assert sheet.drop(LINE).rows(named=True) == [{"a": "x", "b": "1"}, {"a": "y", "b": None}]


def test_lines_are_those_of_the_file_although_blank_ones_are_dropped(path):
    sheet = read_sheet(written(path, "a,b\nx,1\n\n,\nz,3\n"))
    assert sheet.select(LINE, "a").rows() == [(2, "x"), (5, "z")]


def test_another_delimiter(path):
    assert read_sheet(written(path, "a;b\nx,y;1\n"), delimiter=";").drop(LINE).rows() == [("x,y", "1")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,b\n", "is empty: it has a header but no rows"),
        ("a,b\n\n ,\n", "is empty: it has a header but no rows"),
        ("a,b\nx,1\ny,2,lung, left\n", "line 3: 4 cells under a header of 2; quote cells that contain ','"),
        ('a,b\n"x,1\n', "is not a CSV file: unexpected end of data"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "is not a text file"),
        ("a,b,a\nx,1,y\n", "has the column 'a' twice"),
        ("a,b, a\nx,1,y\n", "has the column 'a' twice"),
    ],
)
def test_says_what_is_wrong_and_where(path, content, message):
    with pytest.raises(DataError, match=f"{re.escape(str(path))}.*{re.escape(message)}"):
        read_sheet(written(path, content))


def test_names_a_file_that_is_absent(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*absent\.csv: No such file"):
        read_sheet(tmp_path / "absent.csv")


def test_names_a_folder_where_a_file_was_meant(tmp_path):
    with pytest.raises(DataError, match=f"cannot read {tmp_path}"):
        read_sheet(tmp_path)
