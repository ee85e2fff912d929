"""The listener's threads outlast what goes wrong with one film, or for a while."""

import threading
from types import SimpleNamespace

import pytest

from cxrbench.pacs import listener as listening
from cxrbench.pacs.destinations import Node, Rejected, Web
from cxrbench.pacs.listener import Listener
from cxrbench.pacs.refusing import Unanswerable
from cxrbench.pacs.spool import Spool
from dicom_film import film_dataset
from orthanc import SECONDS, wait_until

FULL_DISK = OSError(28, "No space left on device")


class Failing:
    """Anything, whose named methods fail the first time."""

    def __init__(self, inner, *names):
        self._inner, self._left = inner, set(names)

    def __getattr__(self, name):
        if name in self._left:
            self._left.discard(name)
            return self._fail
        return getattr(self._inner, name)

    def _fail(self, *_):
        raise FULL_DISK


class Answers:
    """Refuses films that say so, and breaks over others."""

    def __init__(self, pixels):
        self._pixels = pixels

    def answer(self, film):
        content = film.read_bytes()
        if content == b"refuse":
            raise Unanswerable("truncated")
        if content == b"break":
            raise RuntimeError
        return SimpleNamespace(all=[film_dataset(self._pixels)])


class Takes:
    """A destination that refuses the first answer and takes the others."""

    def __init__(self):
        self.taken = []
        self._refused = False

    def deliver(self, results):
        if not self._refused:
            self._refused = True
            raise Rejected("no")
        self.taken.extend(results)


def test_a_disk_that_is_full_for_a_while(tmp_path, plain_film, monkeypatch):
    """Whatever could not be noted is done again."""
    monkeypatch.setattr(listening, "FIRST_WAIT", 0.01)
    spool = Spool(tmp_path, "ab" * 32, most_waiting=10)
    for number, content in enumerate([b"refuse", b"break", b"one", b"two"]):
        spool.accept(f"1.{number}", content)
    failing = Failing(spool, "refuse", "fail", "answer", "delivered", "undeliverable")
    stop, destination = threading.Event(), Takes()
    origin = SimpleNamespace(start=lambda: None, stop=lambda: None)
    thread = threading.Thread(target=Listener(Answers(plain_film), failing, destination, origin).run, args=(stop,))
    thread.start()
    wait_until(lambda: spool.is_empty, "something still waits")
    stop.set()
    thread.join(SECONDS)
    assert failing._left == set()
    assert destination.taken
    assert len(list((tmp_path / "failed").iterdir())) == 1  # what broke; the refused answer was taken the second time


@pytest.mark.parametrize("destination", [Node("A", "127.0.0.1", 1, "B"), Web(None)], ids=["node", "web"])
def test_a_damaged_result_is_refused_before_anything_is_sent(destination, tmp_path):
    (tmp_path / "0.dcm").write_bytes(b"")
    with pytest.raises(Rejected, match="cannot be read"):
        destination.deliver([tmp_path / "0.dcm"])
