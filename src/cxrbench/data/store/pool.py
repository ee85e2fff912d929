"""Decoding spread over processes."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from cxrbench.data.decoding import Chunk, Outcome, decode_chunk, read_outcomes, start_worker
from cxrbench.data.store.committing import Decoded, committing
from cxrbench.environment import keep_memory_mapped
from cxrbench.errors import DataError
from cxrbench.progress import Track


def decode_all(
    chunks: Sequence[Chunk], scratch: Path, sizes: tuple[int, ...], *, workers: int, track: Track
) -> list[Outcome]:
    """Decode what is not done yet; images that could not be read are tried again, as they may have been replaced.

    Returns:
        What became of every image, in order.

    Raises:
        DataError: A process was killed.
        OSError: The pixels cannot be written.
    """
    if todo := [chunk for chunk in chunks if _is_open(chunk, scratch)]:
        _decode(todo, scratch, sizes, workers=workers, track=track)
    return [outcome for chunk in chunks for outcome in read_outcomes(chunk, scratch) or ()]


def _decode(chunks: Sequence[Chunk], scratch: Path, sizes: tuple[int, ...], *, workers: int, track: Track) -> None:
    """Decode chunks, here or in processes, until each has its mark."""
    spread = min(workers, len(chunks))
    finished = _here(chunks, scratch, sizes) if spread < 2 else _spread(chunks, scratch, sizes, spread)
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
    """Decode in processes of their own; spawned, since a fork of a process with threads can hang."""
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=start_worker)
    try:
        futures = {pool.submit(decode_chunk, chunk, scratch, sizes): chunk for chunk in chunks}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool:
        raise DataError(
            "a decoding process was killed, perhaps for want of memory; run it again with fewer --workers: "
            "it goes on where it stopped"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)
