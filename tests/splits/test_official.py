"""Splits from a release's lists."""

import re

import polars as pl
import pytest

from cxrbench.errors import DataError
from cxrbench.splits import check_covers, official_split, parts_split

COUNTS = [2] * 20  # patients p0 ... p19 of images 0000.png ... 0039.png


@pytest.fixture
def lists(tmp_path):
    def write(train_val, test):
        paths = (tmp_path / "train_val_list.txt", tmp_path / "test_list.txt")
        for path, images in zip(paths, (train_val, test), strict=True):
            path.write_text("".join(f"{i:04}.png\n" for i in images))
        return paths

    return write


def test_lists_become_parts_and_validation_is_carved_from_train(table, lists):
    images = table(COUNTS)
    split = official_split(images, *lists(range(32), range(32, 40)), seed=5)
    assert split.patients["test"] == ("p16", "p17", "p18", "p19")
    assert len(split.patients["val"]) == round(0.125 * 16)
    assert (split.name, split.kind, split.seed, split.fractions) == ("official", "official", 5, None)
    assert split.source == "train_val_list.txt (32 images), test_list.txt (8 images)"
    check_covers(split, images)


def test_the_order_of_lists_and_rows_does_not_matter(table, lists):
    images = table(COUNTS)
    first = official_split(images, *lists(range(32), range(32, 40)))
    assert official_split(images[::-1], *lists(range(31, -1, -1), range(39, 31, -1))) == first


def test_lists_may_name_more_images_than_are_at_hand(table, lists):
    images = table(COUNTS)
    split = official_split(images[4:36], *lists(range(32), range(32, 40)))
    check_covers(split, images[4:36])
    assert split.patients["test"] == ("p16", "p17")


@pytest.mark.parametrize(
    ("train_val", "test", "message"),
    [
        (range(33), range(33, 40), r"patient p16 \(1 such\) has images in .*train_val_list\.txt and in .*test_list"),
        (range(32), range(34, 40), r"2 images are in neither .* nor .*, the first: 0032\.png"),
        (range(40), range(50, 60), r"test_list\.txt names none of the table's 40 images \(its first name: 0050\.png"),
        ([0, *range(32)], range(32, 40), r"train_val_list\.txt names 0000\.png more than once"),
        (range(40), [], r"test_list\.txt is empty; expected image names"),
    ],
)
def test_lists_that_do_not_fit_are_refused(table, lists, train_val, test, message):
    with pytest.raises(DataError, match=message):
        official_split(table(COUNTS), *lists(train_val, test))


def test_the_look_alike_is_refused_by_its_length(table, lists):
    with pytest.raises(DataError, match=re.escape("a list of 22,433 test images that many public repositories share")):
        official_split(table(COUNTS), *lists(range(32), range(32, 32 + 22_433)))


def test_lists_that_cannot_be_read(table, lists, tmp_path):
    train_val, test = lists(range(32), range(32, 40))
    with pytest.raises(DataError, match=r"cannot read .*absent\.txt: No such file"):
        official_split(table(COUNTS), train_val, tmp_path / "absent.txt")
    test.write_bytes(b"\xff\xfe0\x00")
    with pytest.raises(DataError, match=r"test_list\.txt is not a list of image names"):
        official_split(table(COUNTS), train_val, test)


def test_too_few_patients_are_refused(table, lists):
    with pytest.raises(DataError, match="has no patient in val"):
        official_split(table([2, 2]), *lists(range(2), range(2, 4)))


def stated(images, parts):
    """Official parts of the images, in order."""
    return pl.DataFrame({"image_id": images["image_id"], "part": parts}, schema_overrides={"part": pl.String})


def test_parts_that_the_labels_state_become_the_split(table):
    images = table([2] * 4)
    split = parts_split(images, stated(images, ["train"] * 4 + ["val"] * 2 + ["test"] * 2), archive="ours")
    assert split.patients == {"train": ("p0", "p1"), "val": ("p2",), "test": ("p3",)}
    assert (split.name, split.kind, split.source) == ("official", "official", "parts of ours")


def test_validation_is_carved_where_the_labels_name_none(table):
    images = table(COUNTS)
    split = parts_split(images, stated(images, ["train"] * 32 + ["test"] * 8), archive="ours", seed=5)
    assert len(split.patients["val"]) == 2
    assert split.patients["test"] == ("p16", "p17", "p18", "p19")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (["train"] * 3 + ["test"] * 5, "has patient p1 in train and in test"),
        (["train"] * 6 + ["val"] * 2, "ours: its labels name no test part"),
        (["train"] * 4 + ["test"] * 3 + [None], r"1 images of ours have no official part, the first: 0007\.png"),
    ],
)
def test_parts_that_make_no_split_are_refused(table, parts, message):
    images = table([2] * 4)
    with pytest.raises(DataError, match=message):
        parts_split(images, stated(images, parts), archive="ours", validation_fraction=0.5)
