"""Making the runs of a plan; where a cluster plugs in, it replaces ``run_here``."""

import multiprocessing
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import torch
from safetensors.torch import load_file

from cxrbench.data.decoding import follow_parent
from cxrbench.data.store import open_store
from cxrbench.environment import usable_cores
from cxrbench.errors import CxrbenchError
from cxrbench.files import atomic_folder, partial_of, write_json
from cxrbench.runs import FAILURE_FILE, SPLITS_FOLDER, TABLE_FILE, RunName
from cxrbench.splits import check_covers, read_split
from cxrbench.study.plan import Plan, RunTask
from cxrbench.training import ReportStep, fit_run, ignore_steps

Begin = Callable[[RunTask], ReportStep]
"""Told of each run that begins; gives what is told of its steps."""


@dataclass(frozen=True)
class Outcome:
    """How one run ended."""

    name: RunName
    seconds: float
    failure: str | None = None


def _begin_silently(_task: RunTask) -> ReportStep:
    return ignore_steps


def carry_out(plan: Plan, *, workers: int = 1, begin: Begin = _begin_silently) -> Iterator[Outcome]:
    """Make the runs of a plan; a failed run does not end the study.

    Args:
        plan: The runs to do.
        workers: Runs at a time, each in a process of its own with an equal share of the cores.
        begin: Told of each run that begins; only where one is made at a time.
    """
    if workers > 1:
        return _side_by_side(plan.to_do, workers)
    return (perform(task, report=begin(task)) for task in plan.to_do)


def _side_by_side(tasks: Sequence[RunTask], workers: int) -> Iterator[Outcome]:
    """Each lane is a thread with one process of its own, so that a process that is killed takes one run with it."""
    threads = max(1, usable_cores() // workers)
    lanes = ThreadPoolExecutor(workers)
    try:
        for future in as_completed([lanes.submit(_in_a_process, task, threads) for task in tasks]):
            yield future.result()
    finally:
        lanes.shutdown(cancel_futures=True)


def _in_a_process(task: RunTask, threads: int) -> Outcome:
    """Make one run in a fresh process; its memory goes with it."""
    spawn = multiprocessing.get_context("spawn")  # a fork would copy torch's threads half-way
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=_start_process, initargs=(threads,)) as pool:
        try:
            return pool.submit(perform, task).result()
        except BrokenProcessPool as error:
            reason = "its process was killed, perhaps for want of memory"
            _note_failure(partial_of(task.name.folder(task.study)) / FAILURE_FILE, reason, error)
            return Outcome(task.name, 0.0, failure=reason)


def _start_process(threads: int) -> None:
    """Take a share of the cores, and end when the parent was killed."""
    torch.set_num_threads(threads)
    threading.Thread(target=follow_parent, daemon=True).start()


def perform(task: RunTask, *, report: ReportStep = ignore_steps) -> Outcome:
    """Make one run from what is on disk; its folder appears when all of it is there.

    A failure is written beside the unfinished work, which the next attempt takes up.
    """
    started = time.perf_counter()
    folder = task.name.folder(task.study)
    failure_file = partial_of(folder) / FAILURE_FILE
    failure_file.unlink(missing_ok=True)
    for litter in partial_of(folder).glob(".*.partial"):  # of a process that was killed while it wrote
        litter.unlink()
    try:
        with atomic_folder(folder, keep_on_error=True) as scratch:
            _fit(task, scratch, report)
    except Exception as error:  # noqa: BLE001 - whatever ends one run, the others go on and the reason is kept
        reason = str(error) if isinstance(error, CxrbenchError) else f"{type(error).__name__}: {error}"
        reason = " ".join(reason.split())
        _note_failure(failure_file, reason, error)
        return Outcome(task.name, time.perf_counter() - started, failure=reason)
    return Outcome(task.name, time.perf_counter() - started)


def _fit(task: RunTask, scratch: Path, report: ReportStep) -> None:
    table = pl.read_parquet(task.study / TABLE_FILE)
    split = read_split(task.study / SPLITS_FOLDER / f"{task.config.split}.json")
    check_covers(split, table)
    fit_run(
        task.config,
        scratch,
        table=table,
        store=open_store(task.store),
        split=split,
        weights=None if task.weights is None else load_file(task.weights),
        report=report,
    )


def _note_failure(path: Path, reason: str, error: Exception) -> None:
    """Write why a run failed, if the disk still takes it."""
    failure = {"reason": reason, "type": type(error).__name__, "traceback": traceback.format_exception(error)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, failure)
    except OSError:
        return  # the outcome still carries the reason
