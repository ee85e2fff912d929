"""Archives: label file and folder together."""

import re

import polars as pl
import pytest

from cxrbench.config import changed
from cxrbench.data.tables import present, read_archive, read_table, require_complete
from cxrbench.data.tables.releases import NIH
from cxrbench.errors import DataError


def test_a_whole_release(release):
    archive = read_archive(release(4))
    assert present(archive).equals(archive.table)
    assert archive.table["image_id"].to_list() == [f"{p:08}_{i:03}.png" for p in (1, 2) for i in (0, 1)]
    assert archive.table["path"][0] == "images/00000001_000.png"
    assert (archive.missing, archive.unlisted, archive.official) == ((), 0, None)
    assert archive.notes == (
        "format nih, recognised by the columns of Data_Entry_2017_v2020.csv",
        "Data_Entry_2017_v2020.csv: 4 rows read",
    )
    require_complete(archive, allow_missing=False)


def test_rows_are_in_the_order_of_follow_up_not_of_the_names(label_file, line):
    lines = [line("00000001_000.png", follow_up=2), line("00000001_002.png", follow_up=0), line("x.png", patient="0")]
    table = read_table(label_file(*lines, line("00000001_001.png", follow_up="?")))
    assert table["image_id"].to_list() == ["x.png", "00000001_002.png", "00000001_000.png", "00000001_001.png"]


def test_the_newer_label_version_is_preferred_and_the_older_one_read_too(release):
    folder = release(2)
    (folder / "Data_Entry_2017.csv").write_text("broken")
    assert read_archive(folder).labels.name == "Data_Entry_2017_v2020.csv"
    (folder / "Data_Entry_2017_v2020.csv").replace(folder / "Data_Entry_2017.csv")
    assert read_archive(folder).labels.name == "Data_Entry_2017.csv"


def test_labels_and_lists_may_lie_elsewhere(release, tmp_path):
    folder = release(2)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    labels = (folder / "Data_Entry_2017_v2020.csv").rename(elsewhere / "mine.csv")
    for name in ("train_val_list.txt", "test_list.txt"):
        (elsewhere / name).touch()
    archive = read_archive(folder, labels=labels)
    assert archive.missing == ()
    assert archive.official == (elsewhere / "train_val_list.txt", elsewhere / "test_list.txt")


def test_missing_images_are_counted_named_and_refused_unless_meant(release):
    folder = release(8)
    for name in ("00000001_001", "00000002_000", "00000003_000", "00000003_001"):
        (folder / "images" / f"{name}.png").unlink()
    (folder / "images" / "other.png").touch()
    archive = read_archive(folder)
    assert len(archive.missing) == 4
    assert archive.unlisted == 1
    assert present(archive)["image_id"].to_list() == [
        "00000001_000.png",
        "00000002_001.png",
        "00000004_000.png",
        "00000004_001.png",
    ]
    message = (
        f"4 of the 8 images that {archive.labels} lists are not under {folder} "
        "(00000001_001.png, 00000002_000.png, 00000003_000.png, ...); unpack them there, or go on without them: "
        "--allow-missing"
    )
    with pytest.raises(DataError, match=re.escape(message)):
        require_complete(archive, allow_missing=False)
    require_complete(archive, allow_missing=True)


def test_a_format_may_say_that_the_archive_is_a_sample(release):
    folder = release(4)
    (folder / "images" / "00000001_001.png").unlink()
    archive = read_archive(folder, form=NIH.model_copy(update={"is_sample": True}))
    assert archive.is_sample
    require_complete(archive, allow_missing=False)


def test_no_image_at_all_is_never_meant(release, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    archive = read_archive(empty, labels=release(2) / "Data_Entry_2017_v2020.csv")
    with pytest.raises(DataError, match=r"none of the 2 images .* \(the first is 00000001_000\.png\)"):
        require_complete(archive, allow_missing=True)


def test_no_such_folder(tmp_path):
    with pytest.raises(DataError, match="absent: no such folder"):
        read_archive(tmp_path / "absent")


def test_a_folder_without_labels_says_what_was_looked_for(tmp_path):
    message = "has no label file; looked for Data_Entry_2017_v2020.csv and Data_Entry_2017.csv"
    with pytest.raises(DataError, match=message):
        read_archive(tmp_path)


def test_a_format_without_file_names_needs_the_labels_named(tmp_path):
    with pytest.raises(DataError, match="which file has the labels"):
        read_archive(tmp_path, form=NIH.model_copy(update={"files": ()}))


def test_labels_that_are_absent(release, tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*absent\.csv: No such file"):
        read_archive(release(2), labels=tmp_path / "absent.csv")


def test_the_columns_have_their_types(release):
    schema = read_archive(release(2)).table.schema
    common = [pl.String, pl.String, pl.String, pl.Float32, pl.String, pl.String, pl.Int32]
    assert list(schema.values()) == common + [pl.Int8] * 15


def test_the_table_survives_parquet(release, tmp_path):
    table = read_archive(release(4)).table
    table.write_parquet(tmp_path / "table.parquet")
    assert pl.read_parquet(tmp_path / "table.parquet").equals(table)


def test_names_without_ending_get_the_advice_and_paths_may_be_windows(release, tmp_path):
    folder = release(2)
    path = folder / "Data_Entry_2017_v2020.csv"
    text = path.read_text()
    path.write_text(text.replace("00000001_000.png", "images\\00000001_000.png"))
    assert read_archive(folder).missing == ()
    path.write_text(text.replace(".png", ""))
    with pytest.raises(DataError, match=r"Names without an ending need suffix: \.png"):
        require_complete(read_archive(folder), allow_missing=True)
    form = changed(NIH, {"suffix": [".jpg", ".png"]}, where="test")
    assert read_archive(folder, form=form).missing == ()
