"""Making the runs of a plan: one by one, in processes side by side, or on a cluster."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from queue import SimpleQueue

import torch

from cxrbench.config import ClusterSettings
from cxrbench.environment import follow_parent, usable_cores
from cxrbench.study.cluster import carry_out_on
from cxrbench.study.performing import Outcome, note_failure, perform
from cxrbench.study.plan import Plan, RunTask
from cxrbench.training import GpuSeat, ReportStep, gpu_seats, ignore_steps

Begin = Callable[[RunTask], ReportStep]
"""Told of each run that begins; gives what is told of its steps."""


def _begin_silently(_task: RunTask) -> ReportStep:
    return ignore_steps


def carry_out(
    plan: Plan,
    *,
    workers: int | None = None,
    cluster: ClusterSettings | None = None,
    begin: Begin = _begin_silently,
) -> Iterator[Outcome]:
    """Make the runs of a plan; a failed run does not end the study.

    Args:
        plan: The runs to do.
        workers: Runs at a time, each in a process of its own with an equal share of the cores; None: one,
            on a cluster as many as it has room for.
        cluster: Where to make them; None, or without an address: here.
        begin: Told of each run that begins; only where one is made at a time, here.
    """
    if cluster is not None and cluster.address is not None:
        return carry_out_on(cluster, plan, at_most=workers)
    if workers is not None and workers > 1:
        return _side_by_side(plan.to_do, workers)
    return (perform(task, report=begin(task)) for task in plan.to_do)


def _side_by_side(tasks: Sequence[RunTask], workers: int) -> Iterator[Outcome]:
    """Each lane is a process that makes one run after another; one that is killed takes one run with it."""
    threads = max(1, usable_cores() // workers)
    lanes = [_Lane(seat, threads) for seat in gpu_seats(workers)]
    free: SimpleQueue[_Lane] = SimpleQueue()
    for lane in lanes:
        free.put(lane)
    waiting = ThreadPoolExecutor(workers)
    try:
        for future in as_completed([waiting.submit(_in_a_lane, task, free) for task in tasks]):
            yield future.result()
    finally:
        waiting.shutdown(cancel_futures=True)
        for lane in lanes:
            lane.close()


def _in_a_lane(task: RunTask, free: "SimpleQueue[_Lane]") -> Outcome:
    """Make one run in whichever lane is free."""
    lane = free.get()
    try:
        return lane.perform(task)
    finally:
        free.put(lane)


class _Lane:
    """A process with a share of the machine, since to start one for each run costs what a small run does."""

    def __init__(self, seat: GpuSeat, threads: int) -> None:
        self._seat, self._threads = seat, threads
        self._pool = self._started()

    def perform(self, task: RunTask) -> Outcome:
        """Make one run; if the process ends over it, another takes its place."""
        compute = task.compute.model_copy(update={"gpu_share": self._seat.share})
        try:
            return self._pool.submit(_perform, replace(task, compute=compute)).result()
        except BrokenProcessPool as error:
            self._pool = self._started()
            reason = note_failure(task, "its process was killed, perhaps for want of memory", error)
            return Outcome(task.name, 0.0, failure=reason)

    def close(self) -> None:
        """End the process."""
        self._pool.shutdown()

    def _started(self) -> ProcessPoolExecutor:
        spawn = multiprocessing.get_context("spawn")  # a fork would copy torch's threads half-way
        return ProcessPoolExecutor(
            1, mp_context=spawn, initializer=_start_process, initargs=(self._threads, self._seat.gpu)
        )


def _perform(task: RunTask) -> Outcome:
    """Ctrl-C ends a run; a process that waits for one has nothing to say about it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return perform(task)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _start_process(threads: int, gpu: str | None) -> None:
    """Take a share of the cores and a GPU if there is one, and end when the parent was killed."""
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu  # CUDA looks at it when it is first used, which is later
    torch.set_num_threads(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=follow_parent, daemon=True).start()
