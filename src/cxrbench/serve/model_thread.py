"""One thread asks the networks; films that come within a few milliseconds are asked about together."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

Work = Callable[[Sequence[Any]], Sequence[Any]]
"""Items -> one result each."""


@dataclass(frozen=True, eq=False)
class Job:
    """One item of work, and where its result goes."""

    work: Work
    item: Any
    result: "Future[Any]" = field(default_factory=Future)


class ModelThread:
    """Work is done by one thread in the order it comes; items of equal work are done together.

    Attributes:
        batch: Items at most.
        wait_s: How long the first waits for others.
    """

    def __init__(
        self, *, batch: int, wait_s: float, observe: Callable[[int], None], coming: Callable[[], int] | None = None
    ) -> None:
        """Start the thread.

        Args:
            batch: Items at most.
            wait_s: How long the first waits for others.
            observe: Is told the size of each batch.
            coming: How many items there can be, those that wait included: for more, nobody waits. None: any number.
        """
        self.batch, self.wait_s, self._observe, self._coming = batch, wait_s, observe, coming
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Return whether the thread works."""
        return self._thread.is_alive() and not self._is_closed

    def __len__(self) -> int:
        """Items that wait."""
        return len(self._waiting)

    def submit(self, work: Callable[[Sequence[T]], Sequence[R]], item: T) -> "Future[R]":
        """Ask for one item's result; cancelling it takes it out of the queue.

        Raises:
            RuntimeError: The thread was closed.
        """
        job = Job(work, item)
        with self._changed:
            if self._is_closed:
                raise RuntimeError("the model's thread is closed")
            self._waiting.append(job)
            self._changed.notify()
        return job.result

    def close(self) -> None:
        """Finish what waits, then end the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while jobs := self._gather():
            asked = [job for job in jobs if job.result.set_running_or_notify_cancel()]
            if asked:
                self._do(asked)

    def _gather(self) -> list[Job]:
        """The first job that waits and others of equal work; none once the thread is closed and all is done."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            if not self._waiting:
                return []
            work, until = self._waiting[0].work, time.monotonic() + self.wait_s
            while len(self._alike(work)) < self._most() and not self._is_closed:
                if not self._changed.wait(max(0.0, until - time.monotonic())):
                    break
            jobs = self._alike(work)
            for job in jobs:
                self._waiting.remove(job)
            return jobs

    def _most(self) -> int:
        """Items that are worth waiting for."""
        return self.batch if self._coming is None else min(self.batch, self._coming())

    def _alike(self, work: Work) -> list[Job]:
        """The first jobs of this work, a batch at most."""
        return [job for job in self._waiting if job.work == work][: self.batch]

    def _do(self, jobs: Sequence[Job]) -> None:
        self._observe(len(jobs))
        try:
            results = jobs[0].work([job.item for job in jobs])
        except Exception as error:  # noqa: BLE001 - it belongs to whoever asked
            for job in jobs:
                job.result.set_exception(error)
            return
        for job, result in zip(jobs, results, strict=True):
            job.result.set_result(result)
