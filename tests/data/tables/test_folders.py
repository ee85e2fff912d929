"""Where the images lie."""

import os

import pytest

from cxrbench.data.tables import folders
from cxrbench.data.tables.folders import find_images
from cxrbench.errors import DataError


@pytest.fixture
def files(tmp_path):
    def touch(*paths):
        for path in paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()
        return tmp_path

    return touch


def looked_for(folder, *wanted):
    found = find_images(folder, wanted)
    return found.paths.to_list(), found.unlisted


@pytest.mark.parametrize("inside", ["", "images/", "images_001/images/"])
def test_images_are_found_flat_or_nested(files, inside):
    folder = files(f"{inside}a.png", f"{inside}b.png", "labels.csv", "README.txt")
    assert looked_for(folder, "b.png", "c.png", "a.png") == ([f"{inside}b.png", None, f"{inside}a.png"], 0)


def test_images_that_nobody_lists_are_counted(files):
    folder = files("images/a.png", "images/b.PNG", "images/c.dcm", "notes.txt")
    assert find_images(folder, ["a.png"]).unlisted == 2


def test_hidden_files_do_not_count(files):
    folder = files("images/a.png", "images/._a.png", ".cache/a.png", "__MACOSX/._b.png")
    assert looked_for(folder, "a.png") == (["images/a.png"], 0)


def test_the_same_name_in_two_folders_is_refused(files):
    folder = files("images/a.png", "small/a.png")
    with pytest.raises(DataError, match=r"holds a\.png twice: images/a\.png and small/a\.png; keep one"):
        find_images(folder, ["a.png"])


def test_a_name_in_two_folders_does_not_matter_when_nobody_lists_it(files):
    folder = files("images/a.png", "small/a.png", "images/b.png")
    assert looked_for(folder, "b.png") == (["images/b.png"], 2)


def test_paths_tell_equal_names_apart(files):
    folder = files("train/p1/view1.jpg", "train/p2/view1.jpg", "other/p1/view1.jpg")
    wanted = ["train/p1/view1.jpg", "train/p2/view1.jpg", "train/p3/view1.jpg"]
    assert looked_for(folder, *wanted) == (["train/p1/view1.jpg", "train/p2/view1.jpg", None], 1)


def test_paths_may_begin_above_or_below_the_folder(files):
    folder = files("train/p1/view1.jpg", "train/p2/view1.jpg")
    assert looked_for(folder, "CheXpert-small/train/p1/view1.jpg") == (["train/p1/view1.jpg"], 1)
    assert looked_for(folder, "p2/view1.jpg") == (["train/p2/view1.jpg"], 1)


def test_a_path_that_is_there_as_it_stands_is_meant(files):
    folder = files("p1/view1.jpg", "old/p1/view1.jpg")
    assert looked_for(folder, "p1/view1.jpg") == (["p1/view1.jpg"], 1)


def test_a_hundred_thousand_paths_that_end_in_one_name_are_told_apart_at_once(files, monkeypatch):
    paths = [f"train/p{number}/view1.jpg" for number in range(100_000)]
    monkeypatch.setattr(folders, "_files", lambda _folder: iter(paths))
    found, unlisted = looked_for(files("labels.csv"), *(f"CheXpert/{path}" for path in paths[1:]))
    assert (found, unlisted) == (paths[1:], 1)


def test_a_name_that_is_no_text_is_passed_over(files):
    folder = files(os.fsdecode(b"images/\xe9.png"), "images/a.png")
    assert looked_for(folder, "a.png") == (["images/a.png"], 1)


def test_an_image_may_be_wanted_without_an_images_suffix(files):
    folder = files("images/one", "images/two", "images/three.png")
    assert looked_for(folder, "one") == (["images/one"], 1)


def test_links_are_followed_but_not_in_circles(files, tmp_path):
    folder = files("archive/a.png", "elsewhere/b.png") / "archive"
    (folder / "images").symlink_to(tmp_path / "elsewhere")
    (folder / "loop").symlink_to(folder)
    assert looked_for(folder, "a.png", "b.png") == (["a.png", "images/b.png"], 0)


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
