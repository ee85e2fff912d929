"""Label files with all their traps."""

import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrbench.config import load_vocabulary
from cxrbench.data.tables.releases import NIH, TableFormat
from cxrbench.data.tables.rows import read_rows
from cxrbench.errors import DataError

CHEXPERT = TableFormat.model_validate(
    {
        "name": "CheXpert",
        "image_id": "Path",
        "patient_id": {"name": "Path", "pattern": r"(patient\d+)"},
        "age_years": "Age",
        "sex": "Sex",
        "view": "AP/PA",
        "labels": {"columns": {"Effusion": "Pleural Effusion", "Edema": "Edema"}, "unstated": ["-1"]},
    }
)


def rows_of(path, form=NIH):
    return read_rows(path, form, vocabulary=load_vocabulary())


def test_one_row_of_the_release(label_file, line):
    rows = rows_of(label_file(line("00000003_001.png", "Hernia|Mass", follow_up=7, patient="3", age="074Y", sex="F")))
    (row,) = rows.table.rows(named=True)
    common = {"image_id": "00000003_001.png", "path": None, "patient_id": "3", "age_years": 74.0, "sex": "F"}
    assert row.items() >= {**common, "view": "PA", "follow_up": 7, "Hernia": 1, "Mass": 1, "No Finding": 0}.items()
    assert rows.table.columns[:7] == ["image_id", "path", "patient_id", "age_years", "sex", "view", "follow_up"]
    assert rows.table.columns[7:] == list(load_vocabulary().names)
    assert rows.names[0].to_list() == ["00000003_001.png"]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("rows") / "labels.csv"


PLAIN = {
    "Image Index": "a.png",
    "Finding Labels": "Mass",
    "Follow-up #": "4",
    "Patient ID": "17",
    "Patient Age": "60",
    "Patient Gender": "F",
    "View Position": "AP",
    "OriginalImage[Width": "2500",
    "Height]": "2048",
}


@given(
    names=st.permutations(list(PLAIN)),
    end=st.sampled_from(["", ",", ",,"]),
    blank=st.sampled_from(["", " "]),
    newline=st.sampled_from(["\n", "\r\n"]),
    sex=st.sampled_from(["Patient Gender", "Patient Sex"]),
    start=st.sampled_from(["", "\ufeff"]),
)
def test_columns_are_found_by_name_in_any_header(scratch, names, end, blank, newline, sex, start):
    header = ",".join(sex if name == "Patient Gender" else name for name in names)
    cells = ",".join(f"{blank}{PLAIN[name]}" for name in names)
    scratch.write_bytes(f"{start}{header}{newline}{cells}{end}{newline}".encode())
    row = rows_of(scratch).table.row(0, named=True)
    expected = {"image_id": "a.png", "patient_id": "17", "age_years": 60.0, "sex": "F", "view": "AP", "follow_up": 4}
    assert row.items() >= {**expected, "Mass": 1}.items()


def test_notes_of_all_columns_are_gathered(label_file, line):
    rows = rows_of(label_file(line("a.png", age="155"), line("b.png", sex="X"), line("c.png", follow_up="x")))
    assert [note.split(" (")[0] for note in rows.notes] == [
        "Data_Entry_2017_v2020.csv: 3 rows read",
        "1 image has an age out of 0..120",
        "1 image has a sex other than F or M",
        "1 image has a follow-up number that cannot be read",
    ]


@pytest.mark.parametrize("column", ["Image Index", "Finding Labels", "Patient ID", "View Position", "Follow-up #"])
def test_a_missing_column_is_named(tmp_path, column):
    path = tmp_path / "labels.csv"
    kept = {name: cell for name, cell in PLAIN.items() if name != column}
    path.write_text(",".join(kept) + "\n" + ",".join(kept.values()) + "\n")
    message = f"{path} lacks the column '{column}' of the NIH ChestX-ray14 format; it has 'Image Index'"
    with pytest.raises(DataError, match=re.escape(message if column != "Image Index" else message[:-13])):
        rows_of(path)


def test_a_missing_column_is_named_by_all_its_names(label_file, line):
    path = label_file(line("a.png"), header=HEADER_WITHOUT_SEX)
    with pytest.raises(DataError, match="lacks the column 'Patient Gender' or 'Patient Sex'"):
        rows_of(path)


HEADER_WITHOUT_SEX = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,S,View Position,w,h,x,y"


def test_an_image_that_is_listed_twice_is_named(label_file, line):
    path = label_file(line("a.png"), line("b.png"), line("a.png"), line("c.png"), line("a.png"))
    message = f"{path} lists 1 image more than once: a.png (lines 2 and 4 and 6); keep one line of each"
    with pytest.raises(DataError, match=re.escape(message)):
        rows_of(path)


@pytest.mark.parametrize(("change", "field"), [({"patient": ""}, "patient_id"), ({}, "image_id")])
def test_a_row_without_patient_or_image_is_refused(label_file, line, change, field):
    path = label_file(line("a.png"), line("" if field == "image_id" else "b.png", **change))
    with pytest.raises(DataError, match=rf"{path}, line 3: no {field} in column .* \(1 such lines\)"):
        rows_of(path)


def test_a_file_that_ends_within_a_row_is_refused(label_file, line):
    path = label_file(line("a.png"), "b.png,Mass,0")
    with pytest.raises(DataError, match="line 3: no patient_id in column 'Patient ID'"):
        rows_of(path)


def test_another_release_described_by_its_format(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text(
        "Path,Sex,Age,Frontal/Lateral,AP/PA,Edema,Pleural Effusion\n"
        "CheXpert/train/patient00001/study1/view1_frontal.jpg,Female,68,Frontal,AP,-1.0,1.0\n"
        "CheXpert/train/patient00002/study1/view2_lateral.jpg,Male,87,Lateral,,0.0,\n"
    )
    table = rows_of(path, CHEXPERT).table
    assert table["patient_id"].to_list() == ["patient00001", "patient00002"]
    assert table.select("sex", "view", "Edema", "Effusion", "Hernia").rows() == [
        ("F", "AP", None, 1, None),
        ("M", None, 0, None, None),
    ]


def test_rows_may_be_skipped(label_file, line):
    form = NIH.model_copy(update={"only": {"View Position": ("PA", "AP"), "Patient Gender": ("F",)}})
    path = label_file(line("a.png", sex="F"), line("b.png", sex="F", view="LL"), line("c.png", "Fracture", sex="M"))
    rows = rows_of(path, form)
    assert rows.table["image_id"].to_list() == ["a.png"]
    assert rows.notes[1:] == ("1 row skipped by View Position: LL 1", "1 row skipped by Patient Gender: M 1")
    with pytest.raises(DataError, match=re.escape("has no row that the NIH ChestX-ray14 format reads: only 'View")):
        rows_of(path, NIH.model_copy(update={"only": {"View Position": ("LAO",)}}))


def test_a_pattern_that_finds_nothing_is_refused(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("Path,Sex,Age,AP/PA,Edema,Pleural Effusion\nstudy1/view1.jpg,Female,68,AP,1,1\n")
    with pytest.raises(DataError, match=r"line 2: no patient_id in column 'Path' by the pattern '\(patient"):
        rows_of(path, CHEXPERT)


def test_names_of_files_come_from_a_path_column_and_a_suffix(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("id,file,patient,found\n1,a/one,p,Mass\n2,,q,Mass\n")
    form = TableFormat.model_validate(
        {
            "name": "ours",
            "image_id": "id",
            "path": "file",
            "suffix": ".jpg",
            "patient_id": "patient",
            "labels": {"column": "found"},
        }
    )
    rows = rows_of(path, form)
    assert rows.names[0].to_list() == ["a/one.jpg", "2.jpg"]
    assert rows.table["path"].null_count() == 2
    assert rows.table["age_years"].dtype == pl.Float32
    assert rows.table["age_years"].null_count() == 2
