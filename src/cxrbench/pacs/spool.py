"""What was accepted and is not answered yet, on disk: nothing is lost when the process or the destination goes.

``incoming/<key>.dcm``        accepted, to be answered
``outgoing/<bundle>/<key>/``  a bundle's results, to be delivered
``answered/<bundle>/``        an empty file per film that needs nothing more; one with words where there is no answer
``failed/<key>.dcm``          kept for a person to look at

Each step makes the next thing whole, down to the disk, before it takes the last one away. A step that is done twice
after a crash makes the same objects again, since their UIDs follow from film and bundle. A key is a hash of the film's
UID.
"""

import shutil
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import pydicom

from cxrbench.files import atomic_folder, partial_of
from cxrbench.pacs.durable import flush, write_durably
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
        self._incoming_folder, self._outgoing_folder = folder / "incoming", folder / "outgoing" / bundle[:12]
        self._answered_folder, self._failed_folder = folder / "answered" / bundle[:12], folder / "failed"
        for one in (self._incoming_folder, self._outgoing_folder, self._answered_folder, self._failed_folder):
            one.mkdir(parents=True, exist_ok=True)
            flush(one.parent)
        folder.chmod(OWNER_ONLY)
        self._outgoing = deque(_oldest_first(_answers(folder / "outgoing")))
        self._incoming = deque(path.stem for path in _oldest_first(_films(self._incoming_folder)))
        own = (answer.name for answer in self._outgoing if answer.parent == self._outgoing_folder)
        self._waiting = {*own, *self._incoming}
        self._writing: set[str] = set()

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is to be answered or delivered."""
        with self._changed:
            return not self._waiting and not self._outgoing

    def is_known(self, uid: str) -> bool:
        """Return whether a film waits here already, or was answered."""
        key = short_hash(uid)
        with self._changed:
            return key in self._waiting or self._mark(key).exists()

    def accept(self, uid: str, content: bytes) -> bool:
        """Keep a film to be answered; when this returns, it is on disk, whoever brought it.

        Returns:
            Whether it is new; one that waits or was answered is not kept again.

        Raises:
            Full: Too many wait.
            OSError: It cannot be written.
        """
        key = short_hash(uid)
        with self._changed:
            # The first of two that come together may yet fail.
            self._changed.wait_for(lambda: key not in self._writing)
            if self.is_known(uid):
                return False
            if len(self._incoming) + len(self._writing) >= self._most_waiting:
                raise Full
            self._waiting.add(key)
            self._writing.add(key)
        try:
            write_durably(self._film(key), content)
        except BaseException:
            self._written(key, is_whole=False)
            raise
        self._written(key, is_whole=True)
        return True

    def _written(self, key: str, *, is_whole: bool) -> None:
        """A film is on disk from now on, or could not be written."""
        with self._changed:
            self._writing.discard(key)
            if is_whole:
                self._incoming.append(key)
            else:
                self._waiting.discard(key)
            self._changed.notify_all()

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
                    flush(scratch / f"{number}.dcm")
                flush(scratch)
        flush(self._outgoing_folder)
        self._leave(film, answer=folder)

    def refuse(self, film: Path, reason: str) -> None:
        """Note that a film gets no answer, and why."""
        write_durably(self._mark(film.stem), reason.encode())
        self._leave(film)

    def fail(self, film: Path) -> None:
        """Put a film aside that cannot be answered for a reason that is not its own."""
        # Moved, which needs no room on a disk that may be full.
        film.replace(self._failed_folder / film.name)
        flush(self._failed_folder)
        self._leave(film)

    def next_answer(self, timeout: float) -> Path | None:
        """The folder of results that has waited longest."""
        with self._changed:
            self._changed.wait_for(lambda: self._outgoing, timeout)
            return self._outgoing[0] if self._outgoing else None

    def postpone(self, answer: Path) -> None:
        """Let the other answers go first."""
        with self._changed:
            self._outgoing.remove(answer)
            self._outgoing.append(answer)

    def delivered(self, answer: Path) -> None:
        """Note that a film needs nothing more of the bundle that answered it, which may be an earlier one."""
        write_durably(self.folder / "answered" / answer.parent.name / answer.name, b"")
        self._drop(answer)

    def undeliverable(self, answer: Path) -> None:
        """Put results aside that the destination will not have."""
        kept = self._failed_folder / answer.name
        shutil.rmtree(kept, ignore_errors=True)
        answer.replace(kept)
        flush(self._failed_folder)
        self._drop(answer)

    def _drop(self, answer: Path) -> None:
        shutil.rmtree(answer, ignore_errors=True)
        with self._changed:
            self._outgoing.remove(answer)
            if answer.parent == self._outgoing_folder:
                self._waiting.discard(answer.name)
            self._changed.notify_all()

    def _leave(self, film: Path, *, answer: Path | None = None) -> None:
        """Take a film away whose next step is on disk."""
        film.unlink(missing_ok=True)
        with self._changed:
            self._incoming.remove(film.stem)
            if answer is None:
                self._waiting.discard(film.stem)
            elif answer not in self._outgoing:
                self._outgoing.append(answer)
            self._changed.notify_all()

    def _film(self, key: str) -> Path:
        return self._incoming_folder / f"{key}.dcm"

    def _mark(self, key: str) -> Path:
        return self._answered_folder / key


def _films(folder: Path) -> Iterator[Path]:
    """Films that wait; scratch files of a process that was killed are removed."""
    for left in folder.glob(".*.partial"):
        left.unlink()
    return folder.glob("*.dcm")


def _answers(folder: Path) -> Iterator[Path]:
    """Whole answers that wait, of this bundle and of others; nothing else may lie between them."""
    return (path for path in folder.glob("*/*") if path.is_dir() and path.suffix != ".partial")


def _oldest_first(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: path.stat().st_mtime_ns)
