"""Files -> prepared films, in processes of their own: a file that kills its decoder costs itself only."""

import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context
from typing import TypeVar

from cxrbench.data.decoding import start_worker
from cxrbench.predict.preparation import Prepared, Request, prepare_file

T = TypeVar("T")

Outcome = tuple[Request, Prepared | str]
"""A request, and its film or why there is none."""

AHEAD = 8
"""Films per process that are decoded before they are asked for."""
SECONDS = 60
"""A file that takes longer is given up."""
MEMORY_BYTES = 2 * 2**30
"""What a decoding process may take."""
KILLED = f"its decoder crashed, or took more than {SECONDS} s"


def decoded(requests: Sequence[Request], sizes: tuple[int, ...], *, workers: int) -> Iterator[Outcome]:
    """Read and shrink files, in order.

    Args:
        requests: The files.
        sizes: Sides to shrink to, pixels.
        workers: Processes; with 0 all is done in this one, which a file could then take down.
    """
    if not workers:
        yield from ((request, prepare_file(request, sizes)) for request in requests)
        return
    done = 0
    while done < len(requests):
        try:
            for outcome in _spread(requests[done:], sizes, min(workers, len(requests) - done)):
                yield outcome
                done += 1
        except BrokenProcessPool:  # some file ahead did it; one by one it is found
            yield requests[done], _alone(requests[done], sizes)
            done += 1


def _spread(requests: Iterable[Request], sizes: tuple[int, ...], workers: int) -> Iterator[Outcome]:
    """Decode ahead, but not without bound."""
    waiting: deque[tuple[Request, Future[Prepared | str]]] = deque()
    to_come = iter(requests)
    with _pool(workers) as pool:
        while True:
            room = workers * AHEAD - len(waiting)
            waiting.extend(
                (request, pool.submit(within, SECONDS, prepare_file, request, sizes))
                for request in islice(to_come, room)
            )
            if not waiting:
                return
            request, future = waiting.popleft()
            yield request, future.result()


def _alone(request: Request, sizes: tuple[int, ...]) -> Prepared | str:
    """Decode one file in a process that it may take down."""
    try:
        with _pool(1) as pool:
            return pool.submit(within, SECONDS, prepare_file, request, sizes).result()
    except BrokenProcessPool:
        return KILLED


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Spawned, since a fork of a process with threads can hang."""
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=start_decoder)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def start_decoder() -> None:
    """Prepare a decoding process: as the store's, with a limit on memory where the system has one."""
    start_worker()
    if sys.platform == "linux":
        import resource  # noqa: PLC0415 - not on every system

        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        limit = MEMORY_BYTES if most == resource.RLIM_INFINITY else min(MEMORY_BYTES, most)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, most))


def within(seconds: int, work: Callable[..., T], *arguments: object) -> T:
    """Work under an alarm, which ends this process: a decoder in C listens to nothing else."""
    if not hasattr(signal, "alarm"):
        return work(*arguments)
    signal.alarm(seconds)
    try:
        return work(*arguments)
    finally:
        signal.alarm(0)
