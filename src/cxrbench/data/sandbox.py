"""Processes that decode foreign files: limited in memory and time, and a file that ends one costs itself only.

Whoever decodes many films starts them here. Imports little, as every process pays for it.
"""

import multiprocessing
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing.context import SpawnContext, SpawnProcess
from types import ModuleType
from typing import Any, TypeVar

import cv2

from cxrbench.environment import follow_parent, keep_memory_mapped
from cxrbench.errors import DataError

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 8
"""Items per process that are worked on before they are asked for."""
SECONDS = 60
"""A file that takes longer is given up."""
MEMORY_BYTES = 2 * 2**30
"""Memory that a decoding process may take."""
KILLED = f"its decoder crashed, or took more than {SECONDS} s"


class _Process(SpawnProcess):
    """A process that starts without the caller's main module.

    It does not need it, and importing it costs time, or starts it all over again where a script has no guard.
    """

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802 - its name in multiprocessing
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            return SpawnProcess._Popen(process_obj)
        finally:
            sys.modules["__main__"] = main


class _Context(SpawnContext):
    """Spawned, since a fork of a process with threads can hang."""

    Process = _Process


@contextmanager
def decoding_pool(workers: int, *, start: Callable[[], None] | None = None) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of decoding processes; what is not begun when the block is left is not done.

    Args:
        workers: Number of processes.
        start: First thing each does; None: ``start_decoder``.
    """
    pool = ProcessPoolExecutor(workers, mp_context=_Context(), initializer=start or start_decoder)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def each_in_sandbox(items: Sequence[T], work: Callable[[T], R], *, workers: int) -> Iterator[tuple[T, R | None]]:
    """Do some work on each item in decoding processes; a function of a module, so that they find it.

    Returns:
        Each item with its result, in order; None for an item that ended its process.

    Raises:
        DataError: Processes end as they start.
    """
    done = 0
    while done < len(items):
        try:
            for outcome in _ahead(items[done:], work, min(workers, len(items) - done)):
                yield outcome
                done += 1
        except BrokenProcessPool:  # some item ahead did it; one by one it is found
            yield items[done], _alone(items[done], work)
            done += 1


def _ahead(items: Iterable[T], work: Callable[[T], R], workers: int) -> Iterator[tuple[T, R]]:
    """Work ahead of who takes the results, but not without bound."""
    waiting: deque[tuple[T, Future[R]]] = deque()
    to_come = iter(items)
    with decoding_pool(workers) as pool:
        while True:
            room = workers * AHEAD - len(waiting)
            waiting.extend((item, pool.submit(work, item)) for item in islice(to_come, room))
            if not waiting:
                return
            item, future = waiting.popleft()
            yield item, future.result()


def _alone(item: T, work: Callable[[T], R]) -> R | None:
    """Work on one item in a process that it may take down."""
    with decoding_pool(1) as pool:
        try:
            pool.submit(int).result()
        except BrokenProcessPool:
            raise DataError(
                "decoding processes are killed as they start, perhaps for want of memory; run it again with fewer "
                "--workers: it goes on where it stopped"
            ) from None
        try:
            return pool.submit(work, item).result()
        except BrokenProcessPool:
            return None


def start_worker() -> None:
    """Prepare a working process: one thread, deaf to Ctrl-C (its parent reacts), gone when its parent is."""
    cv2.setNumThreads(1)
    keep_memory_mapped()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if multiprocessing.parent_process() is not None:
        threading.Thread(target=follow_parent, daemon=True).start()


def start_decoder() -> None:
    """Prepare a decoding process: as every working one, with a limit on memory where the system has one."""
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
