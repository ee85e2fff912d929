"""Films are decoded in processes of their own, with limits on memory and time; one that dies costs its film only."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, TypeVar

from cxrbench.data.sandbox import within
from cxrbench.serve.films import start_process
from cxrbench.serve.refusals import Refusal, busy

T = TypeVar("T")

REMEDY = "send a whole PNG, JPEG, TIFF or DICOM file of one chest film"


class Decoders:
    """Processes that wait for films; each is a pool of one, so that it is known whose film ended it."""

    def __init__(self, workers: int, *, seconds: int) -> None:
        self._seconds = seconds
        self._everyone = {_pool() for _ in range(workers)}
        self._free: asyncio.Queue[ProcessPoolExecutor] = asyncio.Queue()
        for pool in self._everyone:
            self._free.put_nowait(pool)
        self._started = [pool.submit(int) for pool in self._everyone]

    @property
    def is_ready(self) -> bool:
        """Return whether one has started."""
        return any(started.done() for started in self._started)

    async def run(self, work: Callable[..., T | str], *arguments: object) -> T:
        """Do some work on one film; the process is busy until it is done, the caller may leave earlier.

        Raises:
            Refusal: ``work`` says in words why it could not, its process ended, or none was free in time.
        """
        try:
            pool = await asyncio.wait_for(self._free.get(), self._seconds)
        except TimeoutError:
            raise busy(f"no decoder was free within {self._seconds:g} s") from None
        try:
            future = pool.submit(within, self._seconds, work, *arguments)
        except BrokenProcessPool:  # it ended while it waited
            pool = self._replace(pool)
            future = pool.submit(within, self._seconds, work, *arguments)
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda done: _call(loop, self._give_back, pool, done))
        try:
            result = await asyncio.wrap_future(future)
        except BrokenProcessPool:
            result = f"reading it took more than {self._seconds} s, or crashed its decoder"
        if isinstance(result, str):
            raise Refusal(422, "film", what=result, remedy=REMEDY)
        return result

    def close(self) -> None:
        """End all processes; what they are doing is finished first."""
        for pool in self._everyone:
            pool.shutdown(cancel_futures=True)

    def _give_back(self, pool: ProcessPoolExecutor, done: "Future[Any]") -> None:
        """A process is free again, or another takes its place."""
        if not done.cancelled() and isinstance(done.exception(), BrokenProcessPool):
            pool = self._replace(pool)
        self._free.put_nowait(pool)

    def _replace(self, broken: ProcessPoolExecutor) -> ProcessPoolExecutor:
        """Another process, which starts before the next film comes."""
        self._everyone.discard(broken)
        pool = _pool()
        pool.submit(int)
        self._everyone.add(pool)
        return pool


def _call(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *arguments: object) -> None:
    """From another thread, unless the loop is gone."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(function, *arguments)


def _pool() -> ProcessPoolExecutor:
    """Spawned, since a fork of a process with threads can hang."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=start_process)
