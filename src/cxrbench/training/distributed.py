"""One fit by several processes of this machine, a GPU each: PyTorch's DDP, its processes started here.

The calling process is the first of them, so progress, errors and files are where they are with one device. Each takes
its share of every batch, weighted so that the gradient is that of the batch; each validates a piece of the validation
part, every image once, and all judge the epoch by the sum.
"""

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import torch

from cxrbench.environment import LOCALHOST, follow_parent, free_port
from cxrbench.errors import TrainingError
from cxrbench.training.fit import Fit
from cxrbench.training.history import ReportStep, ignore_steps
from cxrbench.training.job import Job
from cxrbench.training.trainer import train

PATIENCE = timedelta(minutes=15)
"""For what the others do: compile, predict, or read a slow disk. Then the run fails, and goes on when started again."""
NOTICED_SECONDS = 10
"""After a connection broke, until the system has told that the process at its other end is gone."""
KILLED = "it was killed, perhaps for want of memory"


@dataclass(frozen=True)
class _Other:
    """A process besides this one. It says None when it is about to take part, and later why it failed, if it can."""

    process: BaseProcess
    line: Connection


def train_together(job: Job, fit: Fit, report: ReportStep) -> None:
    """Train ``fit`` as the first of the processes that the job asks for; the others end with it.

    Raises:
        TrainingError: One of the others failed or was killed.
    """
    port = free_port()
    with _others(job, port) as others, _taking_part(job.compute.devices), _watching(others):
        _join_group(fit, port)
        train(fit, report)


@contextmanager
def _taking_part(processes: int) -> Iterator[None]:
    """Take a share of the cores, and leave no process group behind."""
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads // processes))
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _join_group(fit: Fit, port: int) -> None:
    """Wait for the other processes, and be able to add up with them from then on."""
    is_gpu = fit.device.type == "cuda"
    if is_gpu:
        torch.cuda.set_device(fit.device)
    torch.distributed.init_process_group(
        "nccl" if is_gpu else "gloo",
        init_method=f"tcp://{LOCALHOST}:{port}",
        rank=fit.sharing.rank,
        world_size=fit.sharing.devices,
        timeout=PATIENCE,
        device_id=fit.device if is_gpu else None,
    )


@contextmanager
def _others(job: Job, port: int) -> Iterator[list[_Other]]:
    """The processes besides this one."""
    others: list[_Other] = []
    try:
        others.extend(_started(job, rank, port) for rank in range(1, job.compute.devices))
        yield others
        for other in others:
            other.process.join()
    finally:
        for other in others:
            other.process.terminate()


def _started(job: Job, rank: int, port: int) -> _Other:
    spawn = multiprocessing.get_context("spawn")  # a fork would copy torch's threads half-way
    line, theirs = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_help, args=(job, rank, port, theirs), daemon=True)
    process.start()
    theirs.close()  # else the line would outlive the process
    return _Other(process, line)


@contextmanager
def _watching(others: list[_Other]) -> Iterator[None]:
    """Begin when the others are about to, and fail for the reason of the one that is lost, not for what follows."""
    try:
        for other in others:
            if reason := other.line.recv():
                raise TrainingError(_lost(reason))
            if torch.cuda.is_available():  # on a CPU, a connection that breaks is an error at once
                threading.Thread(target=_abort_if_lost, args=(other.process,), daemon=True).start()
        yield
    except (EOFError, RuntimeError) as error:
        if reasons := _reasons(others):
            raise TrainingError(_lost(reasons[0])) from error
        raise


def _reasons(others: list[_Other]) -> list[str]:
    """Why some of the others ended, those that were killed first; none while all are there."""
    ended = wait([other.line for other in others], timeout=NOTICED_SECONDS)
    words = [_last_words(other) for other in others if other.line in ended]
    return sorted((each for each in words if each), key=lambda reason: reason != KILLED)


def _last_words(other: _Other) -> str | None:
    """Why it ended; None where it was done."""
    try:
        return str(other.line.recv())
    except EOFError:
        other.process.join(NOTICED_SECONDS)
        return KILLED if other.process.exitcode else None


def _lost(reason: str) -> str:
    remedy = "; started again, the run goes on" if reason == KILLED else ""
    return f"another of the processes that share the batches was lost: {reason}{remedy}"


def _abort_if_lost(process: BaseProcess) -> None:
    """NCCL would wait for a process that was killed until its patience ends."""
    process.join()
    group = torch.distributed.group.WORLD
    if process.exitcode and group is not None:
        group.abort()


def _help(job: Job, rank: int, port: int, line: Connection) -> None:
    """What each of the others does."""
    threading.Thread(target=follow_parent, daemon=True).start()
    try:
        fit, _ = job.begin(rank)
        line.send(None)
        with _taking_part(job.compute.devices):
            _join_group(fit, port)
            train(fit, ignore_steps)
    except Exception as error:
        line.send(f"{type(error).__name__}: {error}")
        raise
