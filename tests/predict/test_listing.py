"""Lists of films on disk: each film once, in order, whatever their number."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cxrbench.errors import DataError
from cxrbench.predict import Request
from cxrbench.predict.gathering import find, gather
from cxrbench.predict.listing import read_part, write_list


def requests(*names, **facts):
    return [Request(path=Path("/films") / name, **facts) for name in names]


def test_a_round_trip_in_parts(tmp_path):
    given = requests("a", "b", age_years=61.5, sex="F", view="PA") + requests("c")
    films = write_list(given, tmp_path / "films.parquet", part_size=2)
    assert films.films == 3
    assert read_part(tmp_path / "films.parquet", 0) == tuple(given[:2])
    assert read_part(tmp_path / "films.parquet", 1) == tuple(given[2:])


def test_a_film_that_comes_twice_keeps_its_place_and_takes_what_was_said_last(tmp_path):
    given = [*requests("a", "b"), *requests("a", age_years=50.0)]
    assert write_list(given, tmp_path / "films.parquet", part_size=9).films == 2
    assert read_part(tmp_path / "films.parquet", 0) == (*requests("a", age_years=50.0), *requests("b"))


def test_a_film_is_the_same_however_its_path_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(".")
    paths = ["a", tmp_path / "a", f"../{tmp_path.name}/a", "link/a"]
    given = [Request(path=Path(path), age_years=age) for path, age in zip(paths, [50.0, None, None, None], strict=True)]
    assert write_list(given, tmp_path / "films.parquet", part_size=9).films == 1
    assert read_part(tmp_path / "films.parquet", 0) == (Request(path=tmp_path / "a", age_years=50.0),)


def test_the_digest_is_that_of_the_rows(tmp_path):
    path = tmp_path / "films.parquet"
    digests = [
        write_list(given, path, part_size=size).sha256
        for given, size in [
            (requests("a", "b"), 1),
            (requests("a", "b"), 2),
            (requests("b", "a"), 2),
            (requests("a", "b", sex="F"), 2),
        ]
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_a_name_that_no_table_can_hold_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"film-\\udcff\.png': its name is not UTF-8; rename it"):
        write_list(requests(os.fsdecode(b"film-\xff.png")), tmp_path / "films.parquet", part_size=2)


def test_films_are_found_in_the_order_of_their_paths(tmp_path):
    names = ["b/a.png", "b.png", "a/z.png", "a/b/c.png", "a-b/c.png", "a.png", "a/.hidden.png", "DICOMDIR"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    expected = sorted(tmp_path / name for name in names[:6])
    assert [request.path for request in find([str(tmp_path)])] == expected
    assert [request.path for request in gather([str(tmp_path), str(tmp_path / "a")])] == expected


PROGRAM = """
import re, sys
from pathlib import Path
from cxrbench.predict.listing import write_list
from cxrbench.predict.preparation import Request
films = int(sys.argv[1])
found = (Request(path=Path(f"/archive/{i % 12}/film-{i:09}.png")) for i in range(films))
write_list(found, Path(sys.argv[2]), part_size=2048)
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to read the memory")
def test_a_long_list_is_not_held_in_memory(tmp_path):
    """A request takes some 500 bytes: 60,000 in memory would be 30 MB."""
    short, long = (
        int(subprocess.check_output([sys.executable, "-c", PROGRAM, str(films), str(tmp_path / "films.parquet")]))
        for films in (2_000, 60_000)
    )
    assert long - short < 12_000, f"{long - short} kB more"
