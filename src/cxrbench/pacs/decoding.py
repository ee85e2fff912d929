"""Reading a film in a process of its own, which a file may take down without harm."""

import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from cxrbench.data.images.film import load_film
from cxrbench.data.images.pixels import Unreadable
from cxrbench.data.sandbox import KILLED, SECONDS, start_decoder, within
from cxrbench.pacs.refusing import Unanswerable
from cxrbench.predict.preparation import Prepared, prepare_film


@dataclass(frozen=True)
class Decoded:
    """A film as its answer and its pictures need it.

    Attributes:
        prepared: For the networks.
        preview: (h, w) uint8, at most so large as was asked.
    """

    prepared: Prepared
    preview: NDArray[np.uint8]


class Decoder:
    """A process that decodes one film at a time, within limits of memory and time; another follows one that ended."""

    def __init__(self, sizes: tuple[int, ...], *, side: int) -> None:
        """Start no process yet.

        Args:
            sizes: Sides that the networks want a film shrunk to, pixels.
            side: Longest side of a preview, pixels.
        """
        self._sizes, self._side = sizes, side
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def decode(self, path: Path) -> Decoded:
        """Decode one film.

        Raises:
            Unanswerable: It cannot be read.
        """
        self._pool = self._pool or _pool()
        try:
            outcome = self._pool.submit(within, SECONDS, decode_film, path, self._sizes, self._side).result()
        except BrokenProcessPool:
            self.close()
            outcome = KILLED
        if isinstance(outcome, str):
            raise Unanswerable(outcome)
        return outcome

    def close(self) -> None:
        """End the process."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


def decode_film(path: Path, sizes: tuple[int, ...], side: int) -> Decoded | str:
    """Decode one film in this process; why it cannot be read, in words, where it cannot."""
    try:
        film = load_film(path)
    except Unreadable as problem:
        return str(problem)
    except MemoryError:
        return "reading it needs more memory than a film may take"
    scale = min(1.0, side / max(film.pixels.shape))
    height, width = (max(1, round(length * scale)) for length in film.pixels.shape)
    preview = cv2.resize(film.pixels, (width, height), interpolation=cv2.INTER_AREA)
    return Decoded(prepare_film(film, sizes), np.asarray(preview, np.uint8))


def _pool() -> ProcessPoolExecutor:
    """Spawned, since a fork of a process with threads can hang."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_start)


def _start() -> None:
    """As every decoding process; a service manager's SIGTERM to all processes is the parent's to answer."""
    start_decoder()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
