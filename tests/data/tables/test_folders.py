"""Where the images lie."""

import pytest

from cxrbench.data.tables.folders import Found, find_images
from cxrbench.errors import DataError


@pytest.fixture
def files(tmp_path):
    def touch(*paths):
        for path in paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()
        return tmp_path

    return touch


@pytest.mark.parametrize("inside", ["", "images/", "images_001/images/"])
def test_images_are_found_flat_or_nested(files, inside):
    folder = files(f"{inside}a.png", f"{inside}b.png", "labels.csv", "README.txt")
    assert find_images(folder, ["b.png", "c.png", "a.png"]) == Found((f"{inside}b.png", None, f"{inside}a.png"), 0)


def test_images_that_nobody_lists_are_counted(files):
    folder = files("images/a.png", "images/b.PNG", "images/c.dcm", "notes.txt")
    assert find_images(folder, ["a.png"]).unlisted == 2


def test_hidden_files_do_not_count(files):
    folder = files("images/a.png", "images/._a.png", ".cache/a.png", "__MACOSX/._b.png")
    assert find_images(folder, ["a.png"]) == Found(("images/a.png",), 0)


def test_the_same_name_in_two_folders_is_refused(files):
    folder = files("images/a.png", "small/a.png")
    with pytest.raises(DataError, match=r"holds a\.png twice: images/a\.png and small/a\.png; keep one"):
        find_images(folder, ["a.png"])


def test_a_name_in_two_folders_does_not_matter_when_nobody_lists_it(files):
    folder = files("images/a.png", "small/a.png", "images/b.png")
    assert find_images(folder, ["b.png"]) == Found(("images/b.png",), 2)


def test_paths_tell_equal_names_apart(files):
    folder = files("train/p1/view1.jpg", "train/p2/view1.jpg", "other/p1/view1.jpg")
    wanted = ["train/p1/view1.jpg", "train/p2/view1.jpg", "train/p3/view1.jpg"]
    assert find_images(folder, wanted).paths == ("train/p1/view1.jpg", "train/p2/view1.jpg", None)


def test_paths_may_begin_above_or_below_the_folder(files):
    folder = files("train/p1/view1.jpg", "train/p2/view1.jpg")
    assert find_images(folder, ["CheXpert-small/train/p1/view1.jpg"]).paths == ("train/p1/view1.jpg",)
    assert find_images(folder, ["p2/view1.jpg"]).paths == ("train/p2/view1.jpg",)


def test_links_are_followed_but_not_in_circles(files, tmp_path):
    folder = files("archive/a.png", "elsewhere/b.png") / "archive"
    (folder / "images").symlink_to(tmp_path / "elsewhere")
    (folder / "loop").symlink_to(folder)
    assert find_images(folder, ["a.png", "b.png"]).paths == ("a.png", "images/b.png")


def test_the_walk_is_shown(files):
    shown = []

    def track(items, *, total, label):
        for item in items:
            shown.append((item, total, label))
            yield item

    find_images(files("a.png", "b.png", "labels.csv"), ["a.png"], track=track)
    assert shown == [("a.png", 1, "looking for images"), ("b.png", 1, "looking for images")]


def test_no_such_folder(tmp_path):
    with pytest.raises(DataError, match="absent: no such folder"):
        find_images(tmp_path / "absent", [])


def test_a_file_is_not_a_folder(files):
    with pytest.raises(DataError, match=r"a\.png: not a folder"):
        find_images(files("a.png") / "a.png", [])
