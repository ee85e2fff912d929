"""A result table is written, read and refused as its schema says."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from cxrbench.errors import StudyError
from cxrbench.results import Column, ResultTable

COLUMNS = (
    Column("finding", pl.String, "Finding."),
    Column("images", pl.Int64, "Images."),
    Column("auc", pl.Float64, "AUC, 0 to 1."),
    Column("is_rare", pl.Boolean, "Fewer than 100 images."),
    Column("seen", pl.Int64, "Images seen before.", is_added=True, older=0),
)
CSV, PARQUET = ResultTable("small.csv", "One row per finding.", COLUMNS), ResultTable("small.parquet", "Same.", COLUMNS)
ROWS = [
    {"finding": "Mass", "images": 12, "auc": 0.75, "is_rare": True, "seen": 1},
    {"finding": "Hernia", "images": 0, "is_rare": False, "seen": 0},
]


@pytest.mark.parametrize("table", [CSV, PARQUET])
def test_what_is_written_is_read(tmp_path, table):
    frame = table.frame(ROWS)
    assert table.write(tmp_path, frame) == tmp_path / table.file
    assert_frame_equal(table.read(tmp_path), frame)
    assert frame["auc"].to_list() == [0.75, None]


@pytest.mark.parametrize("table", [CSV, PARQUET])
def test_a_table_without_rows_keeps_its_types(tmp_path, table):
    table.write(tmp_path, table.empty())
    assert table.read(tmp_path).schema == table.schema


def test_an_empty_file_is_an_empty_table(tmp_path):
    (tmp_path / CSV.file).touch()
    assert_frame_equal(CSV.read(tmp_path), CSV.empty())


def test_types_are_not_guessed_from_values(tmp_path):
    """A finding that looks like a number stays a word, and a column without values has its type."""
    (tmp_path / CSV.file).write_text("finding,images,auc,is_rare,seen\n007,1,,,2\n")
    assert CSV.read(tmp_path).row(0) == ("007", 1, None, None, 2)


def test_rows_columns_and_frames_are_one():
    as_columns = {"finding": ["Mass"], "images": [3], "auc": [1], "is_rare": [None], "seen": [None]}
    expected = CSV.frame([{"finding": "Mass", "images": 3, "auc": 1.0}])
    assert_frame_equal(CSV.frame(as_columns), expected)
    assert_frame_equal(CSV.frame(pl.DataFrame(as_columns).with_columns(images=pl.lit(3, pl.UInt32))), expected)


def test_a_column_that_came_later_has_its_older_value(tmp_path):
    (tmp_path / CSV.file).write_text("finding,images,auc,is_rare\nMass,1,0.5,true\n")
    assert CSV.read(tmp_path)["seen"].to_list() == [0]
    assert CSV.frame(pl.DataFrame(ROWS).drop("seen"))["seen"].to_list() == [0, 0]


def test_columns_of_later_versions_are_left_out(tmp_path):
    (tmp_path / CSV.file).write_text("later,finding,images,auc,is_rare,seen\nx,Mass,1,0.5,true,0\n")
    assert CSV.read(tmp_path).columns == list(CSV.schema)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("finding,images,is_rare\nMass,1,true\n", "has no column 'auc'"),
        ("finding,images,auc,is_rare\nMass,1,0.5,true\nMass,many,0.5,true\n", "row 2, column 'images': 'many'"),
        ("finding,images,auc,is_rare\nMass,1,high,true\n", "row 1, column 'auc': 'high' is not a number"),
        ("finding,images,auc,is_rare\nMass,1,0.5,perhaps\n", "column 'is_rare': 'perhaps' is not true or false"),
        ("finding,images\nMass,1,2,3\n", "cannot be read"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path, text, said):
    (tmp_path / CSV.file).write_text(text)
    with pytest.raises(StudyError) as error:
        CSV.read(tmp_path)
    message = str(error.value)
    assert str(tmp_path / CSV.file) in message
    assert said in message
    assert message.endswith("evaluate the study again with `cxrbench report`")
    assert "\n" not in message


def test_a_type_of_a_parquet_file_is_checked(tmp_path):
    pl.DataFrame(ROWS).with_columns(auc=pl.lit("high")).write_parquet(tmp_path / PARQUET.file)
    with pytest.raises(StudyError, match="row 1, column 'auc': 'high' is not a number"):
        PARQUET.read(tmp_path)
    pl.DataFrame(ROWS).with_columns(finding=pl.lit(7)).write_parquet(tmp_path / PARQUET.file)
    with pytest.raises(StudyError, match="column 'finding' should be String, not Int32"):
        PARQUET.read(tmp_path)


def test_an_absent_file_is_said_unless_it_is_optional(tmp_path):
    with pytest.raises(StudyError, match=r"small\.csv cannot be read \(it does not exist\)"):
        CSV.read(tmp_path)
    optional = ResultTable(CSV.file, CSV.summary, COLUMNS, is_optional=True)
    assert_frame_equal(optional.read(tmp_path), CSV.empty())


def test_frames_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="needs a column 'auc'"):
        CSV.frame(pl.DataFrame(ROWS).drop("auc"))
    with pytest.raises(ValueError, match="no column 'colour'"):
        CSV.frame(pl.DataFrame(ROWS).with_columns(colour=pl.lit("red")))
    with pytest.raises(ValueError, match="no column 'colour'"):
        CSV.frame([{"colour": "red"}])
    with pytest.raises(ValueError, match="'images' should be Int64, not String"):
        CSV.frame(pl.DataFrame(ROWS).with_columns(images=pl.lit("three")))


def test_columns_in_markdown():
    assert CSV.markdown().splitlines()[:4] == [
        "| column | type | meaning |",
        "|---|---|---|",
        "| `finding` | text | Finding. |",
        "| `images` | integer | Images. |",
    ]
