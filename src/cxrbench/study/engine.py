"""Making the runs of a plan: one by one, in processes side by side, or on a cluster."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from queue import SimpleQueue

import torch

from cxrbench.config import ClusterSettings
from cxrbench.data.decoding import follow_parent
from cxrbench.environment import usable_cores
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
    """Each lane is a thread with one process of its own, so that a process that is killed takes one run with it."""
    threads = max(1, usable_cores() // workers)
    seats: SimpleQueue[GpuSeat] = SimpleQueue()
    for seat in gpu_seats(workers):
        seats.put(seat)
    lanes = ThreadPoolExecutor(workers)
    try:
        for future in as_completed([lanes.submit(_in_a_lane, task, threads, seats) for task in tasks]):
            yield future.result()
    finally:
        lanes.shutdown(cancel_futures=True)


def _in_a_lane(task: RunTask, threads: int, seats: SimpleQueue[GpuSeat]) -> Outcome:
    """Make one run on whichever seat is free."""
    seat = seats.get()
    try:
        compute = task.compute.model_copy(update={"gpu_share": seat.share})
        return _in_a_process(replace(task, compute=compute), threads, seat.gpu)
    finally:
        seats.put(seat)


def _in_a_process(task: RunTask, threads: int, gpu: str | None) -> Outcome:
    """Make one run in a fresh process; its memory goes with it."""
    spawn = multiprocessing.get_context("spawn")  # a fork would copy torch's threads half-way
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=_start_process, initargs=(threads, gpu)) as pool:
        try:
            return pool.submit(perform, task).result()
        except BrokenProcessPool as error:
            reason = note_failure(task, "its process was killed, perhaps for want of memory", error)
            return Outcome(task.name, 0.0, failure=reason)


def _start_process(threads: int, gpu: str | None) -> None:
    """Take a share of the cores and a GPU if there is one, and end when the parent was killed."""
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu  # CUDA looks at it when it is first used, which is later
    torch.set_num_threads(threads)
    threading.Thread(target=follow_parent, daemon=True).start()
