"""``cxrbench labels``: what label files say, without images."""

import polars as pl

VINDR = (
    "image_id,class_name,class_id,rad_id,x_min\n"
    "a,Cardiomegaly,3,R1,1\na,Cardiomegaly,3,R2,1\na,No finding,14,R3,\n"
    "b,No finding,14,R1,\nb,No finding,14,R2,\nb,Cardiomegaly,3,R3,1\n"
)


def test_labels_are_read_told_and_written(cxrbench, tmp_path):
    (tmp_path / "train.csv").write_text(VINDR)
    code, out, err = cxrbench("labels", tmp_path, "--out", tmp_path / "table.parquet")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:2] == ["note: format vindr, recognised by the columns of train.csv", "note: train.csv: 6 rows read"]
    assert "note: 3 readers, 3 an image; a finding is present where more than half of them say so" in lines
    assert "2 images of 2 patients" in lines
    (row,) = [line.split() for line in lines if line.startswith("Cardiomegaly")]
    assert row[1:4] == ["1", "1", "0"]
    votes = pl.read_parquet(tmp_path / "table.votes.parquet").filter(finding="Cardiomegaly")
    assert votes.select("image_id", "present", "readers").rows() == [("a", 2, 3), ("b", 1, 3)]
    table = pl.read_parquet(tmp_path / "table.parquet")
    assert table.select("image_id", "Cardiomegaly", "No finding").rows() == [("a", 1, 0), ("b", 0, 1)]


def test_a_format_and_a_vocabulary_may_be_named(cxrbench, tmp_path):
    (tmp_path / "mine.csv").write_text(VINDR)
    code, out, _ = cxrbench("labels", tmp_path / "mine.csv", "--format", "vindr", "--vocabulary", "nih15")
    assert code == 0
    assert "Hernia" in out
    assert cxrbench("labels", tmp_path / "mine.csv", "--format", "vindt")[0] == 2


def test_a_file_of_which_nothing_is_known_is_one_line(cxrbench, tmp_path):
    (tmp_path / "labels.csv").write_text("film,fracture\na.png,yes\n")
    code, _, err = cxrbench("labels", tmp_path / "labels.csv")
    assert code == 2
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 1
