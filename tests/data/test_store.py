"""The store: pixels, index, resumption, and everything it refuses."""

import errno
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from PIL import Image

import held_up
from cxrbench.data import decoding, sandbox
from cxrbench.data.store import Failure, assembly, open_store, plan, pool, prepare_store
from cxrbench.data.tables import read_archive
from cxrbench.errors import DataError
from cxrbench.files import alone, partial_of

SIZES = (16, 48)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(plan, "CHUNK", 2)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "deep" / "store"


def prepared(folder, out, **options):
    return prepare_store(read_archive(folder), out, sizes=SIZES, **options)


def counting(counts):
    """A track that notes how many images are decoded."""

    def track(items, *, total, label):
        counts.append((total, label))
        yield from items

    return track


class Stop(Exception):  # noqa: N818 - an interruption
    """What interrupts the tests' work."""


def stop(*args):
    """Interrupt the work here."""
    raise Stop


def stopping_after(images):
    """A track that interrupts the work."""

    def track(items, *, total, label):
        for done, item in enumerate(items):
            if done == images:
                raise Stop
            yield item

    return track


def contents(folder):
    """Every file's bytes."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_pixels_are_the_padded_and_shrunk_films(release, out):
    folder = release(4, shape=(32, 24))
    store = prepared(folder, out)
    for image_id, row in store.index.select("image_id", "row").iter_rows():
        film = np.asarray(Image.open(folder / "images" / image_id))
        square = np.zeros((32, 32), np.uint8)
        square[:, 4:28] = film
        area = square.reshape(16, 2, 16, 2).mean(axis=(1, 3))
        assert np.abs(store.pixels(16)[row] - area).max() <= 0.5
        assert np.array_equal(store.pixels(48)[row], cv2.resize(square, (48, 48), interpolation=cv2.INTER_LINEAR))


def test_the_index_says_which_row_is_whose(release, out):
    folder = release(4, shape=(32, 24))
    store = prepared(folder, out)
    ids = read_archive(folder).table["image_id"].sort()
    assert store.index.equals(
        pl.DataFrame(
            {"image_id": ids, "row": range(4), "height": [32] * 4, "width": [24] * 4},
            schema_overrides={"height": pl.Int32, "width": pl.Int32},
        )
    )
    assert store.rows(ids[[2, 0]]).tolist() == [2, 0]
    assert store.rows([]).dtype == np.int64
    with pytest.raises(DataError, match=r"has no image 00000009_000\.png$"):
        store.rows(["00000001_000.png", "00000009_000.png"])


def test_the_description_counts_what_was_padded_and_enlarged(release, out):
    folder = release(4, shape=(32, 24))
    Image.new("L", (64, 64)).save(folder / "images" / "00000001_000.png")
    store = prepared(folder, out)
    description = json.loads((out / "store.json").read_text())
    assert description["made_with"]["opencv"] == cv2.__version__
    assert description.items() >= {"images": 4, "padded": 3, "enlarged": {"16": 0, "48": 3}, "failures": []}.items()
    assert store.is_enlarged(48).to_list() == [False, True, True, True]


def test_pixels_cannot_be_written(release, out):
    with pytest.raises(ValueError, match="read-only"):
        prepared(release(2), out).pixels(16)[0] = 1


def test_a_finished_store_is_used_again_and_may_be_moved(release, out, tmp_path):
    folder = release(4)
    store = prepared(folder, out)
    before = contents(out)
    counts = []
    again = prepared(folder, out, track=counting(counts))
    assert (again.digest, counts, contents(out)) == (store.digest, [], before)
    moved = open_store(out.rename(tmp_path / "moved"))
    assert (moved.digest, moved.index.equals(store.index)) == (store.digest, True)


def test_equal_archives_make_equal_stores_wherever_they_lie(release, tmp_path):
    first = prepared(release(4, name="a"), tmp_path / "1")
    second = prepared(release(4, name="b"), tmp_path / "2", workers=2)
    assert first.digest == second.digest
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_the_digest_changes_with_the_images(release, tmp_path):
    folder = release(4)
    before = prepared(folder, tmp_path / "1").digest
    Image.new("L", (64, 64)).save(folder / "images" / "00000001_000.png")
    assert prepared(folder, tmp_path / "2").digest != before


def test_sizes_can_be_added_and_do_not_change_the_digest(release, out, tmp_path):
    folder = release(5)
    archive = read_archive(folder)
    first = prepare_store(archive, out, sizes=(16,))
    extended = prepare_store(archive, out, sizes=(48, 16))
    assert (extended.sizes, extended.digest) == ((16, 48), first.digest)
    assert not partial_of(out).exists()
    prepare_store(archive, tmp_path / "at-once", sizes=(16, 48))
    assert contents(out) == contents(tmp_path / "at-once")
    assert prepare_store(archive, out, sizes=(16,)).sizes == (16, 48)


def test_adding_sizes_can_be_interrupted(release, out):
    archive = read_archive(release(6))
    prepare_store(archive, out, sizes=(16,))
    with pytest.raises(Stop):
        prepare_store(archive, out, sizes=(48,), track=stopping_after(3))
    assert open_store(out).sizes == (16,)
    counts = []
    assert prepare_store(archive, out, sizes=(48,), track=counting(counts)).sizes == (16, 48)
    assert counts == [(2, "decoding images")]


def test_adding_sizes_survives_a_kill_while_they_are_moved(release, out, monkeypatch):
    archive = read_archive(release(4))
    prepare_store(archive, out, sizes=(16,))
    with monkeypatch.context() as patch:
        patch.setattr(assembly, "write_store", stop)
        with pytest.raises(Stop):
            prepare_store(archive, out, sizes=(32, 48))
    assert open_store(out).sizes == (16,)
    assert prepare_store(archive, out, sizes=(32, 48)).sizes == (16, 32, 48)


def test_interrupted_work_goes_on_where_it_stopped(release, out, tmp_path):
    folder = release(8)
    with pytest.raises(Stop):
        prepared(folder, out, track=stopping_after(5))
    assert not out.exists()
    counts = []
    prepared(folder, out, track=counting(counts))
    assert counts == [(2, "decoding images")]
    prepared(folder, tmp_path / "undisturbed")
    assert contents(out) == contents(tmp_path / "undisturbed")


def test_a_file_that_was_replaced_meanwhile_is_decoded_again(release, out):
    folder = release(8)
    with pytest.raises(Stop):
        prepared(folder, out, track=stopping_after(7))
    Image.new("L", (64, 64), 200).save(folder / "images" / "00000001_000.png")
    counts = []
    store = prepared(folder, out, track=counting(counts))
    assert counts == [(2, "decoding images")]
    assert set(np.unique(store.pixels(16)[0])) == {200}


def broken_release(release):
    folder = release(6)
    whole = (folder / "images" / "00000001_001.png").read_bytes()
    (folder / "images" / "00000001_001.png").write_bytes(whole[: len(whole) // 2])
    (folder / "images" / "00000002_000.png").write_text("not an image")
    Image.new("L", (1, 1)).save(folder / "images" / "00000003_000.png")
    return folder, whole


def test_images_that_cannot_be_read_are_refused_with_their_reasons(release, out):
    folder, whole = broken_release(release)
    message = (
        "3 images cannot be read "
        f"(images/00000001_001.png: truncated PNG: it breaks off after {len(whole) // 2} bytes; "
        'images/00000002_000.png: not a PNG, JPEG, TIFF or DICOM image: it starts with "not an image"; '
        "images/00000003_000.png: 1 x 1 pixels are too few for a radiograph (at least 16 a side)); "
        "replace the files, or go on without them: --allow-missing"
    )
    with pytest.raises(DataError, match=re.escape(message)):
        prepared(folder, out)
    assert not out.exists()


def test_images_that_cannot_be_read_are_left_out_when_allowed(release, out):
    folder, _ = broken_release(release)
    store = prepared(folder, out, allow_missing=True)
    assert store.index["image_id"].to_list() == ["00000001_000.png", "00000002_001.png", "00000003_001.png"]
    assert store.index["row"].to_list() == [0, 3, 5]
    assert store.pixels(16).shape == (6, 16, 16)
    assert not store.pixels(16)[[1, 2, 4]].any()
    listed = json.loads((out / "store.json").read_text())["failures"]
    assert [failure["image_id"] for failure in listed] == ["00000001_001.png", "00000002_000.png", "00000003_000.png"]
    assert store.failures[1] == Failure(
        "00000002_000.png",
        "images/00000002_000.png",
        'not a PNG, JPEG, TIFF or DICOM image: it starts with "not an image"',
    )
    with pytest.raises(DataError, match=r"has no image 00000002_000\.png: not a PNG"):
        store.rows(["00000002_000.png"])
    with pytest.raises(DataError, match="3 images cannot be read"):
        prepared(folder, out)


def test_an_archive_of_which_nothing_can_be_read_is_refused(release, out):
    folder = release(2)
    for path in (folder / "images").iterdir():
        path.write_text("")
    with pytest.raises(
        DataError, match=r"none of the 2 images can be read \(images/00000001_000\.png: the file is emp"
    ):
        prepared(folder, out, allow_missing=True)


def test_a_repaired_archive_needs_only_the_repaired_chunks(release, out):
    folder, whole = broken_release(release)
    with pytest.raises(DataError, match="3 images cannot be read"):
        prepared(folder, out)
    (folder / "images" / "00000001_001.png").write_bytes(whole)
    for name in ("00000002_000.png", "00000003_000.png"):
        (folder / "images" / name).write_bytes(whole)
    counts = []
    assert prepared(folder, out, track=counting(counts)).failures == ()
    assert counts == [(6, "decoding images")]


def test_a_file_that_was_repaired_without_changing_its_length_is_tried_again(release, out):
    folder = release(6)
    film = folder / "images" / "00000001_000.png"
    whole = film.read_bytes()
    film.write_bytes(whole[:-20] + bytes(20))
    with pytest.raises(DataError, match="1 image cannot be read"):
        prepared(folder, out)
    film.write_bytes(whole)
    assert prepared(folder, out).failures == ()


def test_the_store_of_other_images_is_refused(release, out):
    prepared(release(4, name="a"), out)
    other = release(6, name="b")
    message = f"{out} was made from other images: it holds 4, and 6 of other names or file sizes are now under {other};"
    with pytest.raises(DataError, match=re.escape(message)):
        prepared(other, out)


def test_unfinished_work_on_other_images_is_refused(release, out):
    with pytest.raises(Stop):
        prepared(release(4, name="a"), out, track=stopping_after(1))
    message = f"{partial_of(out)} is the unfinished store of other images or sizes (4 images at [16, 48], now 6 at"
    with pytest.raises(DataError, match=re.escape(message)):
        prepared(release(6, name="b"), out)


def test_the_store_of_another_definition_is_refused(release, out):
    folder = release(2)
    prepared(folder, out)
    description = json.loads((out / "store.json").read_text())
    (out / "store.json").write_text(json.dumps(description | {"definition": "nearest pixel"}))
    with pytest.raises(DataError, match=r"was made by another definition \('nearest pixel'\) than this version's"):
        prepared(folder, out)


def test_a_folder_that_is_no_store_is_refused(release, tmp_path):
    with pytest.raises(DataError, match=r"is not a store: it has no store\.json"):
        prepared(release(2), tmp_path)


def damage_pixels(out):
    with (out / "pixels-16.npy").open("r+b") as stream:
        stream.truncate(300)


def damage_shape(out):
    np.save(out / "pixels-16.npy", np.zeros((1, 16, 16), np.uint8))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_pixels, r"pixels-16\.npy is damaged"),
        (damage_shape, r"pixels-16\.npy is damaged: uint8 \(1, 16, 16\), expected uint8 \(2, 16, 16\)"),
        (lambda out: (out / "pixels-48.npy").unlink(), r"pixels-48\.npy is damaged"),
        (lambda out: (out / "index.parquet").write_text("x"), "store is damaged"),
        (lambda out: (out / "index.parquet").unlink(), "store is damaged"),
        (lambda out: (out / "store.json").write_text("{"), "store is damaged"),
        (lambda out: (out / "store.json").write_text("[]"), "store is damaged"),
    ],
)
def test_a_damaged_store_is_refused(release, out, damage, message):
    prepared(release(2), out)
    damage(out)
    with pytest.raises(DataError, match=message + ".*delete the store to have it made again"):
        open_store(out)


def test_a_size_that_the_store_lacks(release, out):
    with pytest.raises(DataError, match="has images of size 16, 48, not 224"):
        prepared(release(2), out).pixels(224)


@pytest.mark.parametrize("sizes", [(), (0,), (16, -1)])
def test_sizes_must_be_positive(release, out, sizes):
    with pytest.raises(ValueError, match="sizes must be positive"):
        prepare_store(read_archive(release(2)), out, sizes=sizes)


def test_too_little_room_is_said_before_anything_is_written(release, out, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**6, 10**6 - 100, 100))
    with pytest.raises(DataError, match=r"the store needs 14,336 bytes, 100 are free"):
        prepare_store(read_archive(release(4)), out, sizes=(16, 48))
    assert list(out.parent.iterdir()) == []


def full(*args):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_is_full_at_once_leaves_nothing(release, out, monkeypatch):
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DataError, match=f"cannot write {out}: the disk is full; free some room and run it again"):
        prepared(release(4), out)
    assert list(out.parent.iterdir()) == []


def test_a_disk_that_fills_up_can_be_emptied_and_the_work_goes_on(release, out, monkeypatch):
    folder = release(6)
    with monkeypatch.context() as patch:
        write, calls = decoding._write_rows, []

        def fill(*args):
            calls.append(args)
            full() if len(calls) > 3 else write(*args)

        patch.setattr(decoding, "_write_rows", fill)
        with pytest.raises(DataError, match="the disk is full"):
            prepared(folder, out)
    assert not out.exists()
    counts = []
    prepared(folder, out, track=counting(counts))
    assert counts == [(4, "decoding images")]


def test_a_file_system_that_cannot_reserve_room_will_do(release, out, monkeypatch):
    def unsupported(*args):
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "posix_fallocate", unsupported)
    assert prepared(release(2), out).index.height == 2


def test_a_folder_that_cannot_be_written(release, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"cannot write .*file/store: Not a directory"):
        prepared(release(2), tmp_path / "file" / "store")


def test_two_processes_do_not_make_the_same_store(release, out):
    partial_of(out).mkdir(parents=True)
    with (
        alone(partial_of(out), "is preparing this store"),
        pytest.raises(DataError, match="another process is preparing this store"),
    ):
        prepared(release(2), out)
    assert prepared(release(2, name="again"), out).index.height == 2


def test_a_file_system_that_cannot_lock_folders_will_do(release, out, monkeypatch):
    def unsupported(*args):
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    monkeypatch.setattr(fcntl, "flock", unsupported)
    assert prepared(release(2), out).index.height == 2


def test_missing_images_are_refused_unless_allowed(release, out):
    folder = release(4)
    (folder / "images" / "00000001_000.png").unlink()
    with pytest.raises(DataError, match="1 of the 4 images"):
        prepared(folder, out)
    assert not out.parent.exists()
    assert prepared(folder, out, allow_missing=True).index.height == 3


def script(tmp_path, folder, out, workers):
    """A process that prepares a store slowly."""
    path = tmp_path / "prepare.py"
    path.write_text(
        textwrap.dedent(
            f"""
            import time
            from pathlib import Path
            from cxrbench.data.store import plan, prepare_store
            from cxrbench.data.tables import read_archive

            def slow(items, *, total, label):
                for done, item in enumerate(items):
                    time.sleep(0.02 if done < 20 else 600)  # it is killed before
                    yield item

            if __name__ == "__main__":
                plan.CHUNK = 2
                archive = read_archive(Path({str(folder)!r}))
                prepare_store(archive, Path({str(out)!r}), sizes={SIZES}, workers={workers}, track=slow)
            """
        )
    )
    return [sys.executable, str(path)]


def wait_until(condition, seconds=300):
    """Poll; fail when it takes too long."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "took too long"
        time.sleep(0.01)


def children_of(process):
    """Ids of the living child processes."""
    tasks = Path(f"/proc/{process}/task/{process}/children")
    return [int(child) for child in tasks.read_text().split()]


def is_alive(process):
    """Whether a process still runs."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # gone before it was opened, or before it was read
        return False


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to see the processes")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_process_loses_nothing_and_leaves_nobody_behind(release, out, tmp_path, workers):
    folder = release(40)
    process = subprocess.Popen(script(tmp_path, folder, out, workers))
    wait_until(lambda: len(list(partial_of(out).glob(decoding.MARKS))) >= 3)
    children = children_of(process.pid)
    assert len(children) >= (workers if workers > 1 else 0)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_until(lambda: not any(map(is_alive, children)))
    assert not out.exists()
    prepared(folder, out)
    prepared(folder, tmp_path / "undisturbed")
    assert contents(out) == contents(tmp_path / "undisturbed")


def test_processes_that_cannot_start_are_said_so(release, out, monkeypatch):
    monkeypatch.setattr(sandbox, "start_decoder", os.abort)
    with pytest.raises(DataError, match=r"decoding processes are killed as they start.*fewer --workers"):
        prepared(release(6), out, workers=2)


def test_an_image_that_ends_its_decoder_costs_itself_only(release, out, monkeypatch):
    monkeypatch.setattr(pool, "decode_chunk", held_up.decode_chunk)
    folder = release(6)
    names = sorted(path.name for path in (folder / "images").iterdir())
    monkeypatch.setenv("CXRBENCH_TEST_DEADLY", names[3])
    store = prepared(folder, out, workers=2, allow_missing=True)
    assert [(failure.path, failure.reason) for failure in store.failures] == [(f"images/{names[3]}", sandbox.KILLED)]
    assert store.index.height == 5


def test_real_films(shared, tmp_path):
    folder = tmp_path / "some"
    (folder / "images").mkdir(parents=True)
    for path in sorted((shared("nih-sample") / "images").iterdir())[:6]:
        (folder / "images" / path.name).symlink_to(path)
    archive = read_archive(folder, labels=shared("nih-sample") / "Data_Entry_2017_v2020.csv")
    store = prepare_store(archive, tmp_path / "store", allow_missing=True)
    assert (store.sizes, store.failures, store.index.height) == ((256, 480), (), 6)
    film = np.asarray(Image.open(folder / "images" / store.index["image_id"][1]))
    film = film if film.ndim == 2 else film[..., 0]
    assert np.abs(store.pixels(256)[1] - film.reshape(256, 4, 256, 4).mean(axis=(1, 3))).max() <= 0.5
