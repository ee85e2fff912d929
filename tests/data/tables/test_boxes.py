"""The release's box list."""

import pytest

from cxrbench.data.tables.boxes import read_boxes
from cxrbench.errors import DataError

HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,"


@pytest.fixture
def box_file(tmp_path):
    def write(*lines, header=HEADER):
        (tmp_path / "boxes.csv").write_text("\n".join([header, *lines]) + "\n")
        return tmp_path / "boxes.csv"

    return write


@pytest.mark.parametrize("header", [HEADER, HEADER[:-3], "Image Index,Finding Label,x,y,w,h"])
def test_rows_are_read_whatever_the_header_splits_into(box_file, header):
    boxes = read_boxes(box_file("a.png,Infiltrate,225.08,547.0,86.5,79", "b.png,Mass,1,2,3,4", header=header))
    assert boxes.columns == ["image_id", "finding", "x", "y", "width", "height"]
    assert boxes.rows() == [("a.png", "Infiltration", 225.08, 547.0, 86.5, 79.0), ("b.png", "Mass", 1, 2, 3, 4)]


@pytest.mark.parametrize(
    "line",
    ["a.png,Fracture,1,2,3,4", "a.png,Mass,1,2,3,x", "a.png,Mass,1,2,0,4", "a.png,Mass,1,2", "a.png,Mass,1,2,3,-4"],
)
def test_a_bad_row_is_refused_with_its_line(box_file, line):
    with pytest.raises(DataError, match=r"boxes\.csv, line 3: \['a\.png', .*findings: Atelectasis"):
        read_boxes(box_file("b.png,Mass,1,2,3,4", line))


def test_another_file_is_refused(box_file):
    with pytest.raises(DataError, match="is not the release's box list"):
        read_boxes(box_file("a,b", header="a,b"))


def test_the_real_list(shared):
    boxes = read_boxes(shared("nih-sample") / "BBox_List_2017.csv")
    assert boxes.height == 984
    assert boxes["image_id"].n_unique() == 880
    assert boxes["finding"].n_unique() == 8
    assert (boxes["x"] + boxes["width"]).max() <= 1024
    assert (boxes["y"] + boxes["height"]).max() <= 1024
