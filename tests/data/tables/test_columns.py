"""Where a format's columns stand in a sheet."""

import re
from pathlib import Path

import polars as pl
import pytest

from cxrbench.config import Column
from cxrbench.data.tables.columns import cell_of, find_column, require_columns, shown_columns
from cxrbench.errors import DataError

SHEET = pl.DataFrame({"#line": [2], "Patient ID": ["7"], "study": ["s1"], "image": ["a"], "# of film": ["4"]})


def cell(*names, **more):
    found = cell_of(SHEET, Column(name=names, **more))
    return None if found is None else SHEET.select(found).item()


@pytest.mark.parametrize("name", ["Patient ID", "patient_id", "PatientID", "PATIENT-ID"])
def test_a_column_is_found_under_any_spelling(name):
    assert find_column(SHEET, name) == "Patient ID"
    assert cell(name) == "7"


def test_two_columns_that_are_spelt_alike_are_told_apart():
    sheet = pl.DataFrame({"age": ["1"], "Age": ["2"]})
    assert find_column(sheet, "Age") == "Age"
    assert find_column(sheet, "AGE") is None


def test_cells_are_put_together_or_taken_apart():
    assert cell("{study}/{image}.png") == "s1/a.png"
    assert cell("study", pattern=r"s(\d)") == "1"
    assert cell("absent", "image") == "a"
    assert cell("absent") is None
    assert cell("{study}/{absent}") is None


def test_our_own_columns_are_not_shown():
    assert shown_columns(SHEET) == ["Patient ID", "study", "image", "# of film"]


def test_a_column_that_is_not_there_is_named():
    message = "x.csv lacks the column 'a' or 'b' of the ours format; it has 'Patient ID', 'study', 'image', '# of film'"
    with pytest.raises(DataError, match=re.escape(message)):
        require_columns(SHEET, [("study",), ("a", "b")], form="ours", path=Path("x.csv"))
