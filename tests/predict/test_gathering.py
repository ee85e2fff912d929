"""What the user meant: files, folders, patterns, lists."""

from collections import Counter

import pytest

from cxrbench.errors import DataError
from cxrbench.predict.gathering import gather, listed_kinds

PNG, DICOM = b"\x89PNG\r\n\x1a\n", bytes(128) + b"DICM"


@pytest.fixture
def folder(tmp_path):
    for name, content in (
        ("a.png", PNG), ("b/film", DICOM), ("b/c.dcm", b""), ("notes.txt", b"notes"), (".hidden.png", PNG),
        ("DICOMDIR", DICOM), ("b/[odd] name.jpeg", b"\xff\xd8\xff"), ("empty", b""),
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def names(requests, folder):
    return [request.path.relative_to(folder).as_posix() for request in requests]


def test_a_folder_and_all_below(folder):
    """Broken images are among them: they shall be told, not left out."""
    assert names(gather([str(folder)]), folder) == ["a.png", "b/[odd] name.jpeg", "b/c.dcm", "b/film"]


def test_what_is_no_image_is_counted_by_its_kind(folder):
    for name in ("x.BMP", "b/y.bmp", "z.webp", "b/w.gif"):
        (folder / name).write_bytes(b"not among those that are read")
    left_out = Counter()
    films = gather([str(folder)], left_out=left_out)
    assert len(films) == 4
    assert left_out == {".bmp": 2, ".webp": 1, ".gif": 1, ".txt": 1, "": 1}
    every = [path for path in folder.rglob("*") if path.is_file() and path.name not in {".hidden.png", "DICOMDIR"}]
    assert left_out.total() + len(films) == len(every)
    assert listed_kinds(left_out).startswith("2 .bmp, ")
    assert "1 without suffix" in listed_kinds(left_out)


def test_a_folder_of_other_pictures_says_what_was_found(tmp_path):
    (tmp_path / "film.webp").write_bytes(b"RIFF")
    with pytest.raises(DataError, match=r"expected PNG, JPEG, TIFF or DICOM files, found 1 \.webp"):
        gather([str(tmp_path)])


def test_a_file_is_taken_whatever_it_is(folder):
    assert names(gather([str(folder / "notes.txt")]), folder) == ["notes.txt"]
    assert names(gather([str(folder / "b" / "[odd] name.jpeg")]), folder) == ["b/[odd] name.jpeg"]


def test_patterns(folder):
    assert names(gather([str(folder / "*.png")]), folder) == [".hidden.png", "a.png"]
    assert names(gather([str(folder / "**" / "*.dcm")]), folder) == ["b/c.dcm"]


def test_a_relative_pattern(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert [str(request.path) for request in gather(["b/*.dcm"])] == ["b/c.dcm"]


def test_each_file_once(folder):
    assert names(gather([str(folder / "a.png"), str(folder)]), folder)[0] == "a.png"
    assert len(gather([str(folder / "a.png"), str(folder)])) == 4


def test_a_file_is_the_same_however_its_path_is_written(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "link").symlink_to("b")
    paths = ["b/c.dcm", str(folder / "b" / "c.dcm"), "b/../b/c.dcm", "link/c.dcm", "b/*.dcm"]
    assert [str(request.path) for request in gather(paths)] == ["b/c.dcm"]


@pytest.mark.parametrize("order", [1, -1])
def test_what_a_list_says_stays_said_where_a_folder_has_the_film_too(folder, order):
    (folder / "list.csv").write_text("path,age,sex,view\na.png,50,F,AP\n")
    requests = {request.path.name: request for request in gather([str(folder / "list.csv"), str(folder)][::order])}
    assert (requests["a.png"].age_years, requests["a.png"].sex, requests["a.png"].view) == (50, "F", "AP")


def test_a_pattern_that_only_folders_match_is_refused(folder):
    with pytest.raises(DataError, match=r"no film found, only folders match it; .*\[b\]/\*\*/\* matches what is in"):
        gather([str(folder / "[b]")])
    assert len(gather([str(folder / "[b]" / "**" / "*")])) == 3


@pytest.mark.parametrize("given", ["absent.png", "*.gif", "b/absent"])
def test_what_leads_to_nothing_is_refused(folder, given):
    with pytest.raises(DataError, match="no such file or folder, and no file matches it"):
        gather([str(folder / given)])


def test_a_folder_without_images(tmp_path):
    with pytest.raises(DataError, match="no image in it or below; expected PNG, JPEG, TIFF or DICOM"):
        gather([str(tmp_path)])


def test_a_list_with_what_is_known(folder):
    sheet = folder / "list.csv"
    sheet.write_text(
        "Image Index,Patient Age,Patient Gender,View Position\na.png,062Y,F,pa\nb/film,unknown,,\ngone.png,18M,,LL\n"
    )
    first, second, third = gather([str(sheet)])
    assert (first.path, first.age_years, first.sex, first.view) == (folder / "a.png", 62, "F", "PA")
    assert (second.age_years, second.sex, second.view) == (None, None, None)
    assert (third.age_years, third.sex, third.view) == (1.5, None, "LL")


def test_a_list_of_names_only(folder):
    (folder / "list.csv").write_text("path\na.png\n")
    assert names(gather([str(folder / "list.csv")]), folder) == ["a.png"]


def test_a_list_without_names_is_refused(folder):
    (folder / "list.csv").write_text("age\n50\n")
    with pytest.raises(DataError, match=r"list\.csv has no column of image names"):
        gather([str(folder / "list.csv")])
    (folder / "list.csv").write_text("path,age\na.png,50\n,60\n")
    with pytest.raises(DataError, match=r"list\.csv, line 3: the file name is blank"):
        gather([str(folder / "list.csv")])


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (("50,F", "abc,F"), r"line 3: age 'abc' cannot be read \(1 such rows\); write years from 0 to 120"),
        (("350,F", "-1,M"), r"line 2: age '350' cannot be read \(2 such rows\)"),
        (("50,F", "60,X"), r"line 3: sex 'X' cannot be read .*write F or M, and leave it blank where it is not known"),
    ],
)
def test_a_cell_that_cannot_be_read_is_not_taken_for_unknown(folder, cells, said):
    (folder / "list.csv").write_text("path,age,sex\n" + "".join(f"{i}.png,{cell}\n" for i, cell in enumerate(cells)))
    with pytest.raises(DataError, match=said):
        gather([str(folder / "list.csv")])


def test_a_list_that_names_a_film_twice_is_refused(folder):
    (folder / "list.csv").write_text("path,age\na.png,50\nb/film,30\nb/../a.png,60\n")
    with pytest.raises(DataError, match=r"list\.csv, lines 2 and 4: both name .*a\.png; keep one"):
        gather([str(folder / "list.csv")])


def test_what_is_given_counts_more_than_the_list(folder):
    (folder / "list.csv").write_text("path,age,sex\na.png,50,F\n")
    request = gather([str(folder / "list.csv")], age_years=0, view="AP")[0]
    assert (request.age_years, request.sex, request.view) == (0, "F", "AP")
