"""Decoding spread over processes."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from cxrbench.data.decoding import Chunk, Outcome, decode_chunk, read_outcomes, start_worker
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
    todo = [chunk for chunk in chunks if _is_open(chunk, scratch)]
    spread = min(workers, len(todo))
    finished = _here(todo, scratch, sizes) if spread < 2 else _spread(todo, scratch, sizes, spread)
    images = (path for chunk in finished for path in chunk.paths)
    for _ in track(images, total=sum(len(chunk.paths) for chunk in todo), label="decoding images"):
        pass
    return [outcome for chunk in chunks for outcome in read_outcomes(chunk, scratch) or ()]


def _is_open(chunk: Chunk, scratch: Path) -> bool:
    """Whether a chunk is still to do."""
    outcomes = read_outcomes(chunk, scratch)
    return outcomes is None or any(outcome.reason for outcome in outcomes)


def _here(chunks: Sequence[Chunk], scratch: Path, sizes: tuple[int, ...]) -> Iterator[Chunk]:
    """Decode in this process; yield each chunk when it is done."""
    for chunk in chunks:
        decode_chunk(chunk, scratch, sizes)
        yield chunk


def _spread(chunks: Sequence[Chunk], scratch: Path, sizes: tuple[int, ...], workers: int) -> Iterator[Chunk]:
    """Decode in processes of their own; spawned, since a fork of a process with threads can hang."""
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=start_worker)
    try:
        futures = {pool.submit(decode_chunk, chunk, scratch, sizes): chunk for chunk in chunks}
        for future in as_completed(futures):
            future.result()
            yield futures[future]
    except BrokenProcessPool:
        raise DataError(
            "a decoding process was killed, perhaps for want of memory; run it again with fewer --workers: "
            "it goes on where it stopped"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)
