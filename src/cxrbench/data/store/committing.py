"""Pixels and their marks down to the disk, while others decode."""

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

from cxrbench.data.decoding import Chunk, Outcome, pixel_file, write_mark

Decoded = tuple[Chunk, list[Outcome]]
"""A chunk whose rows are written, and what became of its images."""


@contextmanager
def committing(scratch: Path, sizes: tuple[int, ...]) -> Iterator[Callable[[Decoded], Chunk]]:
    """Yield what makes a decoded chunk count: its rows first, then its mark, which must not outlive them.

    It returns at once. A disk that is slower than the decoding takes several chunks together; all are there when the
    block is left.

    Raises:
        OSError: The disk does not take them.
    """
    with ExitStack() as stack:
        # Open from the beginning: the system tells of failed writes only those who were there.
        handles = [stack.enter_context(pixel_file(scratch, size).open("r+b")).fileno() for size in sizes]
        thread = stack.enter_context(ThreadPoolExecutor(1))
        waiting: SimpleQueue[Decoded] = SimpleQueue()
        flushes: deque[Future[None]] = deque()

        def commit(decoded: Decoded) -> Chunk:
            while flushes and flushes[0].done():
                flushes.popleft().result()
            waiting.put(decoded)
            flushes.append(thread.submit(_flush, waiting, handles, scratch))
            return decoded[0]

        try:
            yield commit
        finally:
            for flush in flushes:
                flush.result()


def _flush(waiting: SimpleQueue[Decoded], handles: list[int], scratch: Path) -> None:
    """Put all that waits on the disk."""
    if not (decoded := _taken(waiting)):
        return
    for handle in handles:
        os.fsync(handle)
    for chunk, outcomes in decoded:
        write_mark(chunk, outcomes, scratch)


def _taken(waiting: SimpleQueue[Decoded]) -> list[Decoded]:
    """What is in the queue now."""
    taken: list[Decoded] = []
    while True:
        try:
            taken.append(waiting.get_nowait())
        except Empty:
            return taken
