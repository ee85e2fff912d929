"""What was accepted and is not answered yet, on disk: nothing is lost when the process or the destination goes.

``incoming/<key>.dcm``    accepted, to be answered
``outgoing/<key>/``       its results, to be delivered
``answered/<bundle>/``    an empty file per film that needs nothing more; one with words where there is no answer
``failed/<key>.dcm``      kept for a person to look at

Each step makes the next thing whole before it takes the last one away. A step that is done twice after a crash makes
the same objects again, since their UIDs follow from film and bundle. A key is a hash of the film's UID.
"""

import os
import shutil
import threading
from collections import deque
from collections.abc import Iterable
from pathlib import Path

import pydicom

from cxrbench.files import atomic_file, atomic_folder, partial_of
from cxrbench.pacs.uids import short_hash

OWNER_ONLY = 0o700


class Full(Exception):  # noqa: N818 - a state, which passes
    """As many films wait as are allowed to."""


class Spool:
    """A folder that one process works on.

    Attributes:
        folder: Where it lies; only its owner may read it, as it holds patients' films.
    """

    def __init__(self, folder: Path, bundle: str, *, most_waiting: int) -> None:
        """Open the folder and find what an earlier process left.

        Args:
            folder: Made where it is absent.
            bundle: Digest of the bundle: another bundle answers films anew.
            most_waiting: Films to be answered, and answers to be delivered, at most.
        """
        self.folder = folder
        self._most_waiting = most_waiting
        self._changed = threading.Condition()
        self._incoming_folder, self._outgoing_folder = folder / "incoming", folder / "outgoing"
        self._answered_folder, self._failed_folder = folder / "answered" / bundle[:12], folder / "failed"
        for one in (self._incoming_folder, self._outgoing_folder, self._answered_folder, self._failed_folder):
            one.mkdir(parents=True, exist_ok=True)
        folder.chmod(OWNER_ONLY)
        self._outgoing = deque(path.name for path in _oldest_first(self._outgoing_folder) if path.suffix != ".partial")
        self._incoming = deque(path.stem for path in _oldest_first(self._incoming_folder) if path.suffix == ".dcm")
        self._waiting = {*self._outgoing, *self._incoming}

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be answered or delivered."""
        with self._changed:
            return not self._waiting

    def is_known(self, uid: str) -> bool:
        """Whether a film waits here already, or was answered."""
        key = short_hash(uid)
        with self._changed:
            return key in self._waiting or self._mark(key).exists()

    def accept(self, uid: str, content: bytes) -> bool:
        """Keep a film to be answered; when this returns, it is on disk.

        Returns:
            Whether it is new; one that waits or was answered is not kept again.

        Raises:
            Full: Too many wait.
            OSError: It cannot be written.
        """
        key = short_hash(uid)
        with self._changed:
            if self.is_known(uid):
                return False
            if len(self._incoming) >= self._most_waiting:
                raise Full
            self._waiting.add(key)
        try:
            _write(self._film(key), content)
        except BaseException:
            with self._changed:
                self._waiting.discard(key)
            raise
        with self._changed:
            self._incoming.append(key)
            self._changed.notify_all()
        return True

    def next_film(self, timeout: float) -> Path | None:
        """The film that has waited longest; None where there is none in time, or too many answers wait."""
        with self._changed:
            self._changed.wait_for(lambda: self._incoming and len(self._outgoing) < self._most_waiting, timeout)
            if not self._incoming or len(self._outgoing) >= self._most_waiting:
                return None
            return self._film(self._incoming[0])

    def answer(self, film: Path, results: Iterable[pydicom.Dataset]) -> None:
        """Put a film's results in its place.

        Raises:
            OSError: They cannot be written; the film stays.
        """
        folder = self._outgoing_folder / film.stem
        shutil.rmtree(partial_of(folder), ignore_errors=True)
        if not folder.exists():
            with atomic_folder(folder) as scratch:
                for number, result in enumerate(results):
                    result.save_as(scratch / f"{number}.dcm", enforce_file_format=True)
        self._leave(film, outgoing=True)

    def refuse(self, film: Path, reason: str) -> None:
        """Note that a film gets no answer, and why."""
        _write(self._mark(film.stem), reason.encode())
        self._leave(film)

    def fail(self, film: Path) -> None:
        """Put a film aside that cannot be answered for a reason that is not its own."""
        shutil.copy2(film, self._failed_folder / film.name)
        self._leave(film)

    def next_answer(self, timeout: float) -> Path | None:
        """The folder of results that has waited longest."""
        with self._changed:
            self._changed.wait_for(lambda: self._outgoing, timeout)
            return self._outgoing_folder / self._outgoing[0] if self._outgoing else None

    def postpone(self, answer: Path) -> None:
        """Let the other answers go first."""
        with self._changed:
            self._outgoing.remove(answer.name)
            self._outgoing.append(answer.name)

    def delivered(self, answer: Path) -> None:
        """Note that a film needs nothing more."""
        _write(self._mark(answer.name), b"")
        self._drop(answer)

    def undeliverable(self, answer: Path) -> None:
        """Put results aside that the destination will not have."""
        shutil.copytree(answer, self._failed_folder / answer.name, dirs_exist_ok=True)
        self._drop(answer)

    def _drop(self, answer: Path) -> None:
        shutil.rmtree(answer, ignore_errors=True)
        with self._changed:
            self._outgoing.remove(answer.name)
            self._waiting.discard(answer.name)
            self._changed.notify_all()

    def _leave(self, film: Path, *, outgoing: bool = False) -> None:
        """Take a film away whose next step is on disk."""
        film.unlink(missing_ok=True)
        with self._changed:
            self._incoming.remove(film.stem)
            if not outgoing:
                self._waiting.discard(film.stem)
            elif film.stem not in self._outgoing:
                self._outgoing.append(film.stem)
            self._changed.notify_all()

    def _film(self, key: str) -> Path:
        return self._incoming_folder / f"{key}.dcm"

    def _mark(self, key: str) -> Path:
        return self._answered_folder / key


def _oldest_first(folder: Path) -> list[Path]:
    """What lies in a folder; scratch files of a process that was killed are removed."""
    for left in folder.glob(".*.partial"):
        left.unlink()
    return sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)


def _write(path: Path, content: bytes) -> None:
    """Write a file down to the disk, so that it outlives a power cut."""
    with atomic_file(path) as scratch, scratch.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
