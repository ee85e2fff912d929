"""Decoding spread over processes, and pixels and their marks down to the disk meanwhile."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue

from cxrbench.data.decoding import Chunk, Outcome, decode_chunk, pixel_file, read_outcomes, write_mark
from cxrbench.data.sandbox import KILLED, SECONDS, each_in_sandbox
from cxrbench.environment import keep_memory_mapped
from cxrbench.progress import Track

Decoded = tuple[Chunk, list[Outcome]]
"""A chunk whose rows are written, and what became of its images."""


def decode_all(
    chunks: Sequence[Chunk], scratch: Path, sizes: tuple[int, ...], *, workers: int, track: Track
) -> list[Outcome]:
    """Decode what is not done yet; images that could not be read are tried again, as they may have been replaced.

    Returns:
        Outcome of every image, in order.

    Raises:
        DataError: Processes are killed as they start.
        OSError: The pixels cannot be written.
    """
    if todo := [chunk for chunk in chunks if _is_open(chunk, scratch)]:
        _decode(todo, scratch, sizes, workers=workers, track=track)
    return [outcome for chunk in chunks for outcome in read_outcomes(chunk, scratch) or ()]


def _decode(chunks: Sequence[Chunk], scratch: Path, sizes: tuple[int, ...], *, workers: int, track: Track) -> None:
    """Decode chunks, here or in processes, until each has its mark."""
    finished = _spread(chunks, scratch, sizes, workers) if workers else _here(chunks, scratch, sizes)
    with committing(scratch, sizes) as commit:
        images = (path for decoded in finished for path in commit(decoded).paths)
        for _ in track(images, total=sum(len(chunk.paths) for chunk in chunks), label="decoding images"):
            pass


def _is_open(chunk: Chunk, scratch: Path) -> bool:
    """Whether a chunk is still to do."""
    outcomes = read_outcomes(chunk, scratch)
    return outcomes is None or any(outcome.reason for outcome in outcomes)


def _here(chunks: Sequence[Chunk], scratch: Path, sizes: tuple[int, ...]) -> Iterator[Decoded]:
    """Decode in this process; yield each chunk when its rows are written."""
    keep_memory_mapped()
    for chunk in chunks:
        yield chunk, decode_chunk(chunk, scratch, sizes)


def _spread(chunks: Sequence[Chunk], scratch: Path, sizes: tuple[int, ...], workers: int) -> Iterator[Decoded]:
    """Decode in processes; where an image ends one, those of its chunk are decoded one by one."""
    work = partial(decode_chunk, scratch=scratch, sizes=sizes, seconds=SECONDS)
    for chunk, outcomes in each_in_sandbox(chunks, work, workers=workers):
        if outcomes is None:
            each = [found or [Outcome(0, 0, KILLED)] for _, found in each_in_sandbox(chunk.singly, work, workers=1)]
            yield chunk, [outcome for found in each for outcome in found]
        else:
            yield chunk, outcomes


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
