"""What was accepted stays until it is answered and delivered, whatever ends the process in between."""

import os
import threading

import pytest

from cxrbench.pacs import durable
from cxrbench.pacs import spool as spools
from cxrbench.pacs.spool import Full, Spool
from cxrbench.pacs.uids import short_hash
from dicom_film import film_dataset

BUNDLE = "ab" * 32


def open_spool(folder, *, most_waiting=10, bundle=BUNDLE):
    return Spool(folder, bundle, most_waiting=most_waiting)


def test_a_film_goes_through_once(tmp_path, plain_film):
    spool = open_spool(tmp_path)
    assert spool.accept("1.2.3", b"film")
    assert not spool.accept("1.2.3", b"film")
    film = spool.next_film(0)
    assert film.read_bytes() == b"film"
    assert film.stem == short_hash("1.2.3")
    spool.answer(film, [film_dataset(plain_film)])
    assert spool.next_film(0) is None
    assert not spool.accept("1.2.3", b"film")
    answer = spool.next_answer(0)
    assert [path.name for path in answer.iterdir()] == ["0.dcm"]
    assert not spool.is_empty
    spool.delivered(answer)
    assert spool.is_empty
    assert spool.is_known("1.2.3")
    assert not open_spool(tmp_path).accept("1.2.3", b"film")
    assert open_spool(tmp_path, bundle="cd" * 32).accept("1.2.3", b"film")


def test_what_waits_is_taken_up_in_order(tmp_path, plain_film):
    first = open_spool(tmp_path)
    for uid in "1.1", "1.2", "1.3":
        first.accept(uid, uid.encode())
    first.answer(first.next_film(0), [film_dataset(plain_film)])
    for number, uid in enumerate(("1.2", "1.3")):  # however coarse the file system's clock is
        os.utime(tmp_path / "incoming" / f"{short_hash(uid)}.dcm", ns=(number, number))
    second = open_spool(tmp_path)
    assert second.next_film(0).read_bytes() == b"1.2"
    assert second.next_answer(0).name == short_hash("1.1")


def test_killed_between_two_steps(tmp_path, plain_film):
    """Results are whole before the film goes; a half-written film or answer counts as none."""
    spool = open_spool(tmp_path)
    spool.accept("1.1", b"film")
    film = spool.next_film(0)
    spool.answer(film, [film_dataset(plain_film)])
    film.write_bytes(b"film")  # as if killed before it was taken away
    (tmp_path / "incoming" / ".x.dcm.1.partial").write_bytes(b"ha")
    (film_folder := tmp_path / "outgoing" / BUNDLE[:12]).joinpath("x.partial").mkdir()
    (film_folder / "y").write_bytes(b"")  # no answer of ours
    again = open_spool(tmp_path)
    again.answer(again.next_film(0), [])
    assert again.next_film(0) is None
    assert [path.name for path in again.next_answer(0).iterdir()] == ["0.dcm"]
    again.delivered(again.next_answer(0))
    assert again.next_answer(0) is None
    assert again.is_empty


def test_it_is_bounded_both_ways(tmp_path, plain_film):
    spool = open_spool(tmp_path, most_waiting=2)
    spool.accept("1.1", b"a")
    spool.accept("1.2", b"b")
    with pytest.raises(Full):
        spool.accept("1.3", b"c")
    for _ in range(2):
        spool.answer(spool.next_film(0), [film_dataset(plain_film)])
    spool.accept("1.3", b"c")
    assert spool.next_film(0) is None  # until an answer is delivered
    spool.delivered(spool.next_answer(0))
    assert spool.next_film(0).read_bytes() == b"c"


def test_what_cannot_be_answered_or_delivered(tmp_path, plain_film):
    spool = open_spool(tmp_path)
    for uid in "1.1", "1.2", "1.3":
        spool.accept(uid, uid.encode())
    spool.refuse(spool.next_film(0), "truncated")
    spool.fail(spool.next_film(0))
    spool.answer(spool.next_film(0), [film_dataset(plain_film)])
    spool.undeliverable(spool.next_answer(0))
    assert spool.is_empty
    assert (tmp_path / "answered" / BUNDLE[:12] / short_hash("1.1")).read_text() == "truncated"
    assert (tmp_path / "failed" / f"{short_hash('1.2')}.dcm").read_bytes() == b"1.2"
    assert (tmp_path / "failed" / short_hash("1.3") / "0.dcm").exists()
    assert tmp_path.stat().st_mode & 0o077 == 0


def test_two_that_come_together(tmp_path, monkeypatch):
    """Nobody is told that a film is here before it is on disk; where the first cannot be written, the second is."""
    spool = open_spool(tmp_path)
    may_fail, is_writing = threading.Event(), threading.Event()
    written = []

    def write(path, content):
        if not is_writing.is_set():
            is_writing.set()
            may_fail.wait(60)
            raise OSError(28, "No space left on device")
        written.append(path)
        durable.write_durably(path, content)

    monkeypatch.setattr(spools, "write_durably", write)
    said = {}

    def bring(who):
        try:
            said[who] = spool.accept("1.1", b"film")
        except OSError as error:
            said[who] = error.errno

    first, second = (threading.Thread(target=bring, args=(who,)) for who in ("first", "second"))
    first.start()
    assert is_writing.wait(60)
    second.start()
    second.join(0.3)
    assert said == {}
    may_fail.set()
    first.join(60)
    second.join(60)
    assert said == {"first": 28, "second": True}
    assert written == [spool.next_film(0)]


def test_an_answer_is_its_bundles_own(tmp_path, plain_film):
    """A listener with another bundle delivers what waits, and answers the film anew."""
    first = open_spool(tmp_path)
    first.accept("1.1", b"film")
    first.answer(first.next_film(0), [film_dataset(plain_film)])
    second = open_spool(tmp_path, bundle="cd" * 32)
    assert second.accept("1.1", b"film")
    second.delivered(second.next_answer(0))
    assert second.next_answer(0) is None
    assert not second.is_empty
    second.answer(second.next_film(0), [film_dataset(plain_film)])
    assert second.next_answer(0).parent.name == "cd" * 6
    second.delivered(second.next_answer(0))
    assert second.is_empty
    assert open_spool(tmp_path).is_known("1.1")
    assert open_spool(tmp_path, bundle="cd" * 32).is_known("1.1")


def test_results_are_on_the_disk_before_the_film_goes(tmp_path, plain_film, monkeypatch):
    spool = open_spool(tmp_path)
    spool.accept("1.1", b"film")
    film = spool.next_film(0)
    flushed = []

    def flush(path):
        assert film.exists()
        flushed.append(path.name)
        durable.flush(path)

    monkeypatch.setattr(spools, "flush", flush)
    spool.answer(film, [film_dataset(plain_film)] * 2)
    assert flushed == ["0.dcm", "1.dcm", f"{film.stem}.partial", BUNDLE[:12]]
    assert not film.exists()
