"""Files of a format: found, read, set below one another and joined."""

import re

import pytest

from cxrbench.config import TableFormat
from cxrbench.data.tables.rows import read_rows
from cxrbench.data.tables.sheets import LINE
from cxrbench.data.tables.sources import FILE, PART, main_files, read_source
from cxrbench.errors import DataError

FORM = {
    "name": "ours",
    "files": ["images.csv"],
    "join": [{"files": ["studies.csv"], "by": {"study": "id"}}],
    "image_id": "file",
    "patient_id": "patient",
    "labels": {"column": "findings"},
}


def form(**changes):
    return TableFormat.model_validate({**FORM, **changes})


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images.csv").write_text("file,study\na.png,s1\nb.png,s1\nc.png,s2\n")
    (tmp_path / "studies.csv").write_text("id,patient,findings\ns1,p1,Mass\ns2,p2,Nodule\ns3,p3,Edema\n")
    return tmp_path


def test_a_table_of_studies_is_joined_to_the_images(folder):
    source = read_source([folder], form())
    assert source.rows.select("file", "patient", "findings").rows() == [
        ("a.png", "p1", "Mass"),
        ("b.png", "p1", "Mass"),
        ("c.png", "p2", "Nodule"),
    ]
    assert source.files == (folder / "images.csv", folder / "studies.csv")
    assert source.notes == ("images.csv: 3 rows read", "studies.csv: joined to 3 rows by study")


def test_the_joined_table_may_be_named_or_lie_beside_the_first(folder, tmp_path):
    for paths in ([folder / "images.csv"], [folder / "studies.csv", folder / "images.csv"]):
        assert read_source(paths, form()).files == (folder / "images.csv", folder / "studies.csv")


def test_rows_without_a_partner_are_counted(folder):
    (folder / "images.csv").write_text("file,study\na.png,s1\nb.png,s9\n")
    assert (
        read_source([folder], form()).notes[1] == "studies.csv: joined to 1 row by study; 1 row without a partner there"
    )


def test_tables_that_do_not_join_are_refused(folder):
    (folder / "images.csv").write_text("file,study\na.png,1\nb.png,2\n")
    with pytest.raises(DataError, match=r"does not join images\.csv: no study of one .* \(first: 1; there: s1\)"):
        read_source([folder], form())
    (folder / "images.csv").write_text("file,study\na.png,S1.0\n")
    with pytest.raises(DataError, match=r"they differ only by zeros, '\.0' or case"):
        read_source([folder], form())


def test_a_join_that_would_double_rows_is_refused(folder):
    (folder / "studies.csv").write_text("id,patient,findings\ns1,p1,Mass\ns2,p2,Nodule\ns1,p1,Edema\n")
    with pytest.raises(
        DataError, match=r"studies\.csv, lines 2 and 4: id s1 stands in several rows, so joining it would"
    ):
        read_source([folder], form())


def test_a_table_that_is_not_there_is_named_unless_it_is_optional(folder):
    (folder / "studies.csv").unlink()
    with pytest.raises(DataError, match=r"has no studies\.csv, which joins images\.csv by study; put it beside"):
        read_source([folder], form())
    optional = form(join=[{"files": "studies.csv", "by": {"study": "id"}, "is_optional": True}])
    assert read_source([folder], optional).files == (folder / "images.csv",)


def test_a_column_that_joins_nothing_is_named(folder):
    with pytest.raises(DataError, match=r"studies\.csv lacks the column 'study_id' that joins the tables; it has 'id'"):
        read_source([folder], form(join=[{"files": "studies.csv", "by": {"study": "study_id"}}]))


def test_parts_are_read_one_below_another_with_their_part(tmp_path):
    for name in ("train", "valid"):
        (tmp_path / f"{name}.csv").write_text(f"file,patient,findings\n{name}.png,p,Mass\n")
    source = read_source([tmp_path], form(files=[], join=[], parts={"train.csv": "train", "valid.csv": "val"}))
    assert source.rows.select(FILE, PART, LINE, "file").rows() == [
        ("train.csv", "train", 2, "train.png"),
        ("valid.csv", "val", 2, "valid.png"),
    ]


def test_a_label_file_may_lie_one_folder_below_and_be_packed(tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "IMAGES.csv.gz").write_bytes(b"")
    (tmp_path / "labels" / "images.csv.gz").write_bytes(b"")
    assert main_files([tmp_path], form()) == (tmp_path / "labels" / "images.csv.gz",)


def test_a_folder_without_label_files_says_what_was_looked_for(tmp_path):
    with pytest.raises(DataError, match=re.escape(f"{tmp_path} has no label file; looked for images.csv")):
        read_source([tmp_path], form())


def test_labels_in_folders_need_a_folder(tmp_path):
    listing = form(files=[], join=[], lists_images=True)
    with pytest.raises(DataError, match="no image in it or below"):
        read_source([tmp_path], listing)
    (tmp_path / "x.csv").touch()
    with pytest.raises(DataError, match=r"x\.csv: not a folder; this format reads the labels from folders"):
        read_source([tmp_path / "x.csv"], listing)


def test_an_image_in_two_files_is_refused_with_both(tmp_path):
    for name in ("train", "valid"):
        (tmp_path / f"{name}.csv").write_text("file,patient,findings\na.png,p,Mass\n")
    parts = form(files=[], join=[], parts={"train.csv": "train", "valid.csv": "val"})
    with pytest.raises(DataError, match=r"lists 1 image more than once: a\.png \(in train\.csv and valid\.csv\)"):
        read_rows(tmp_path, parts)
