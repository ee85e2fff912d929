"""Which packaged format label files have."""

import pytest

from cxrbench.config import load_format
from cxrbench.data.tables.releases import NIH, choose_format, fitting_format, read_format
from cxrbench.errors import ConfigError, DataError

VINDR = "image_id,class_name,class_id,rad_id,x_min\na,Mass,8,R1,2\n"


def test_files_with_some_of_nihs_columns_are_taken_for_nihs(tmp_path):
    (tmp_path / "labels.csv").write_text("Image Index,b\n1,2\n")
    assert choose_format([tmp_path / "labels.csv"]) == (NIH, None)
    assert choose_format([tmp_path]) == (NIH, None)


def test_a_file_of_which_no_column_is_known_is_refused(tmp_path):
    (tmp_path / "labels.csv").write_text("film,b\n1,2\n")
    with pytest.raises(DataError, match=r"no packaged format \(it has 'b', 'film'\); name one with --format \(brax, "):
        choose_format([tmp_path / "labels.csv"])


def test_two_formats_that_fit_are_named(tmp_path):
    (tmp_path / "vinbigdata-train.csv").write_text(VINDR)
    (tmp_path / "train-rle.csv").write_text("ImageId, EncodedPixels\na,-1\n")
    with pytest.raises(DataError, match=r"fits the formats siim and vindr; say which with --format siim"):
        choose_format([tmp_path])
    (tmp_path / "both.csv").write_text("ImageId,EncodedPixels," + VINDR.partition("\n")[0] + "\n1,2,3,4,5,6,7\n")
    with pytest.raises(DataError, match="fits the formats siim and vindr"):
        choose_format([tmp_path / "both.csv"])


def test_of_two_formats_the_one_that_asks_for_more_columns_fits(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(
        "Image Index,Finding Labels,Follow-up #,Patient ID,Fracture,Pneumothorax,Airspace opacity,Nodule or mass\n"
        "a,Mass,0,1,NO,NO,NO,NO\n"
    )
    assert choose_format([path])[0] == load_format("nih-google")


def test_a_format_of_ones_own_is_compared_with_the_packaged_ones(tmp_path):
    (tmp_path / "mine.csv").write_text(VINDR)
    own = load_format("vindr").model_copy(update={"name": "mine", "archive": None})
    assert fitting_format([tmp_path / "mine.csv"], own) == "vindr"
    assert fitting_format([tmp_path / "mine.csv"], load_format("vindr")) is None


def test_an_unknown_format_is_answered_with_the_near_one():
    with pytest.raises(ConfigError, match="unknown format 'padchst'; did you mean padchest"):
        read_format("padchst")
