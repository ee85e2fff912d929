"""A finished folder tells when it is not what it was: whatever happens to a file or a name is noticed."""

import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrbench.errors import IntegrityError
from cxrbench.manifest import MANIFEST_FILE, read_manifest, seal

FILES = {"config.json": b'{"a": 1}\n', "predictions.parquet": bytes(range(256)), "tables/auc.csv": b"auc\n0.5\n"}


def make(folder, *, name="ft / resample-1 / seed 0"):
    for path, content in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return seal(folder, kind="run", name=name, made_from={"table": "ab12"})


def read(folder, *, name="ft / resample-1 / seed 0", kind="run"):
    return read_manifest(folder, kind=kind, name=name)


def test_a_whole_folder_gives_its_files(tmp_path):
    assert make(tmp_path) == read(tmp_path)
    manifest = read(tmp_path)
    manifest.check()
    assert manifest.made_from == {"table": "ab12"}
    assert {name: manifest.file(name).read_bytes() for name in FILES} == FILES


def test_a_moved_folder_is_whole(tmp_path):
    make(tmp_path / "here")
    shutil.move(tmp_path / "here", tmp_path / "there")
    read(tmp_path / "there").check()


def test_without_a_manifest_there_is_none(tmp_path):
    assert read(tmp_path) is None


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "bytes instead of"),
        (lambda path: path.write_bytes(path.read_bytes().replace(b"1", b"2")), "was changed after it was written"),
        (lambda path: path.unlink(), "is missing"),
    ],
    ids=["cut short", "edited", "deleted"],
)
def test_a_damaged_file_is_named(tmp_path, damage, said):
    make(tmp_path)
    damage(tmp_path / "config.json")
    for look in (lambda: read(tmp_path).file("config.json"), lambda: read(tmp_path).check()):
        with pytest.raises(IntegrityError, match=f"config.json .*{said}"):
            look()


def test_an_added_file_is_named(tmp_path):
    make(tmp_path)
    (tmp_path / "more.csv").write_text("a\n")
    with pytest.raises(IntegrityError, match=r"more\.csv is not listed"):
        read(tmp_path).check()


def test_swapped_folders_are_named(tmp_path):
    make(tmp_path / "one", name="ft / resample-1 / seed 0")
    make(tmp_path / "other", name="ots / resample-1 / seed 0")
    (tmp_path / "one").rename(tmp_path / "third")
    (tmp_path / "other").rename(tmp_path / "one")
    with pytest.raises(IntegrityError, match=r"holds run ots / resample-1 / seed 0, not run ft / resample-1 / seed 0"):
        read(tmp_path / "one")


def test_a_swapped_file_is_named(tmp_path):
    for name in ("ft", "ots"):
        make(tmp_path / name, name=name)
    (tmp_path / "ots" / "config.json").write_bytes(b'{"a": 2}\n')
    seal(tmp_path / "ots", kind="run", name="ots")
    shutil.copy(tmp_path / "ots" / "config.json", tmp_path / "ft" / "config.json")
    with pytest.raises(IntegrityError, match="was changed after it was written"):
        read(tmp_path / "ft", name="ft").file("config.json")


def test_a_later_schema_is_refused(tmp_path):
    make(tmp_path)
    path = tmp_path / MANIFEST_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 7}))
    with pytest.raises(IntegrityError, match="schema 7, of a later version"):
        read(tmp_path)


@given(st.data())
def test_every_flipped_bit_is_noticed_or_harmless(tmp_path_factory, data):
    """A bit of the manifest or of a file: reading says so, or gives the same manifest and content."""
    folder = tmp_path_factory.mktemp("flip")
    whole = make(folder)
    path = folder / data.draw(st.sampled_from([MANIFEST_FILE, *FILES]))
    content = bytearray(path.read_bytes())
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(bytes(content))
    try:
        found = read(folder)
        found.check()
    except IntegrityError:
        return
    assert path.name == MANIFEST_FILE  # white space between the values
    assert found == whole
