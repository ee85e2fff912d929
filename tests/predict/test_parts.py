"""An archive's predictions in parts: the same as in one go, whatever interrupts them."""

import shutil
import signal
import subprocess
import sys

import polars as pl
import pytest

from cxrbench.bundle import load_bundle
from cxrbench.errors import DataError
from cxrbench.files import partial_of, write_json
from cxrbench.predict import Predictor
from cxrbench.predict.gathering import find, gather
from cxrbench.predict.manifest import part_file, read_manifest
from cxrbench.predict.parts import Counts, Options, count_predictions, here, predict_parts
from cxrbench.predict.writing import as_table

OPTIONS = Options(part_size=7, batch_size=4)


@pytest.fixture(scope="module")
def bundle(small_bundle):
    return load_bundle(small_bundle)


@pytest.fixture(scope="module")
def films(small_study, tmp_path_factory):
    """Nineteen films in folders, one of them no image."""
    folder = tmp_path_factory.mktemp("films")
    for i, path in enumerate(sorted((small_study.parent / "films").rglob("*.png"))[:19]):
        (folder / f"ward-{i % 3}").mkdir(exist_ok=True)
        shutil.copy(path, folder / f"ward-{i % 3}" / path.name)
    damaged = sorted(folder.rglob("*.png"))[8]
    damaged.write_bytes(b"no image")
    return folder


@pytest.fixture(scope="module")
def in_one_go(bundle, films):
    """What ``predict`` without parts says, batches as in the parts."""
    predictor, requests = Predictor(bundle), gather([str(films)])
    portions = [requests[start : start + OPTIONS.part_size] for start in range(0, len(requests), OPTIONS.part_size)]
    predictions = [one for some in portions for one in predictor.predict_files(some, batch_size=OPTIONS.batch_size)]
    return as_table(bundle, predictions)


def make_all(bundle, films, folder, *, make=None, options=OPTIONS):
    return predict_parts(bundle, find([str(films)]), folder, make=make or here(workers=0), options=options)


def read(folder):
    return pl.read_parquet(folder / "predictions" / "*.parquet")


def test_the_same_as_in_one_go(bundle, films, in_one_go, tmp_path):
    manifest = make_all(bundle, films, tmp_path / "out")
    assert read(tmp_path / "out").equals(in_one_go)
    assert in_one_go["error"].drop_nulls().len() == 1
    assert (manifest.films, manifest.parts, [manifest.films_of(i) for i in range(3)]) == (19, 3, [7, 7, 5])
    assert read_manifest(tmp_path / "out") == manifest
    assert (manifest.bundle, manifest.findings) == (bundle.digest, bundle.answered)
    warned = in_one_go["warnings"].count()
    assert count_predictions(tmp_path / "out") == Counts(parts=3, answered=18, warned=warned, failed=1)
    assert not partial_of(tmp_path / "out").exists()


def test_what_was_interrupted_goes_on(bundle, films, in_one_go, tmp_path):
    out = tmp_path / "out"

    def dying(work, todo):
        yield from here(workers=0)(work, todo[1:2])
        (work.folder / "predictions" / ".part-000002.parquet.0.partial").write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_all(bundle, films, out, make=dying)
    assert not out.exists()
    kept = part_file(partial_of(out), 1)
    written = kept.stat().st_mtime_ns

    def counting(work, todo):
        made.extend(todo)
        return here(workers=0)(work, todo)

    made = []
    make_all(bundle, films, out, make=counting)
    assert made == [0, 2]
    assert part_file(out, 1).stat().st_mtime_ns == written
    assert read(out).equals(in_one_go)
    assert sorted(path.name for path in (out / "predictions").iterdir()) == [f"part-00000{i}.parquet" for i in range(3)]
    make_all(bundle, films, out, make=counting)
    assert made == [0, 2]


def test_other_films_or_options_are_refused(bundle, films, tmp_path):
    out = tmp_path / "out"
    make_all(bundle, films, out)
    with pytest.raises(DataError, match=r"out was begun otherwise: batch_size 4, now 5; choose another folder"):
        make_all(bundle, films, out, options=Options(part_size=7, batch_size=5))
    with pytest.raises(DataError, match="begun otherwise: films 19, now "):
        predict_parts(bundle, find([str(films / "ward-0")]), out, make=here(workers=0), options=OPTIONS)
    assert read_manifest(out).films == 19
    shutil.move(out, partial_of(out))
    with pytest.raises(DataError, match=r"out\.partial was begun otherwise: part_size 7, now 8"):
        make_all(bundle, films, out, options=Options(part_size=8, batch_size=4))


def test_a_bundle_that_was_exchanged_is_refused(bundle, films, tmp_path):
    out = tmp_path / "out"
    make_all(bundle, films, out)
    manifest = read_manifest(out)
    changed = manifest.model_dump(mode="json") | {"bundle": "0" * 64}
    write_json(out / "manifest.json", changed)
    with pytest.raises(DataError, match=f"begun otherwise: bundle '{'0' * 39}, now '{bundle.digest[:39]}"):
        make_all(bundle, films, out)
    part_file(out, 0).unlink()
    shutil.move(out, partial_of(out))

    def elsewhere(work, todo):  # a node whose folder of this name holds another bundle
        write_json(work.folder / "manifest.json", changed)
        return here(workers=0)(work, todo)

    write_json(partial_of(out) / "manifest.json", manifest.model_dump(mode="json"))
    with pytest.raises(DataError, match=f"is bundle {bundle.digest[:12]}, .* begun with 000000000000"):
        make_all(bundle, films, out, make=elsewhere)


def test_nothing_is_left_of_a_call_that_found_nothing(bundle, tmp_path):
    with pytest.raises(DataError, match="absent: no such file or folder"):
        predict_parts(bundle, find([str(tmp_path / "absent")]), tmp_path / "out", make=here(workers=0))
    assert not list(tmp_path.iterdir())


def test_a_damaged_manifest_is_refused(bundle, films, tmp_path):
    make_all(bundle, films, tmp_path / "out")
    (tmp_path / "out" / "manifest.json").write_text("{}")
    with pytest.raises(DataError, match=r"manifest\.json: absent, damaged or of another version"):
        make_all(bundle, films, tmp_path / "out")


@pytest.mark.parametrize("where", ["out", "out.partial"])
def test_a_folder_of_something_else_is_not_touched(bundle, films, tmp_path, where):
    (tmp_path / where / "predictions").mkdir(parents=True)
    (tmp_path / where / "films.parquet").write_text("precious")
    with pytest.raises(DataError, match=f"{where}.*; choose another folder"):
        make_all(bundle, films, tmp_path / "out")
    assert (tmp_path / where / "films.parquet").read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == [where]


PROGRAM = """
import os, signal, sys
from pathlib import Path
from cxrbench.bundle import load_bundle
from cxrbench.predict.gathering import find
from cxrbench.predict.parts import Options, here, predict_parts

def dying(work, todo):
    for number in here(workers=1)(work, todo):
        if len(todo) == 3:  # the first of all: this is the first call
            os.killpg(0, signal.SIGKILL)
        yield number

if __name__ == "__main__":
    bundle, films, out = sys.argv[1:]
    predict_parts(load_bundle(Path(bundle)), find([films]), Path(out), make=dying,
                  options=Options(part_size=7, batch_size=4))
"""


@pytest.mark.slow
def test_killed_while_it_predicts(bundle, films, in_one_go, tmp_path):
    out, script = tmp_path / "out", tmp_path / "program.py"
    script.write_text(PROGRAM)
    command = [sys.executable, str(script), str(bundle.folder), str(films), str(out)]
    assert subprocess.run(command, start_new_session=True, check=False).returncode == -signal.SIGKILL
    assert [path.name for path in partial_of(out).glob("predictions/part-*")] == [part_file(out, 0).name]
    assert not out.exists()
    subprocess.run(command, check=True)
    assert read(out).equals(in_one_go)
