"""One fit by several processes of this machine, a GPU each: Lightning's DDP, its processes started here.

The calling process is the first of them, so progress, errors and files are where they are with one device. Each takes
its share of every batch, weighted so that the gradient is that of the batch; each validates a piece of the validation
part, every image once, and all judge the epoch by the sum.
"""

import multiprocessing
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from inspect import signature
from typing import Any

import torch
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.pytorch.strategies import DDPStrategy
from torch.nn.parallel import DistributedDataParallel

from cxrbench.data.decoding import follow_parent
from cxrbench.environment import usable_cores
from cxrbench.training.fit import Fit
from cxrbench.training.job import Job
from cxrbench.training.state import ReportStep, ignore_steps
from cxrbench.training.trainer import train

LOCALHOST = "127.0.0.1"
_SAYS_SYNC = "forward_sync_buffers" in signature(DistributedDataParallel).parameters
_EQUAL_BUFFERS: dict[str, Any] = {"forward_sync_buffers" if _SAYS_SYNC else "broadcast_buffers": False}
"""Buffers are not sent around, in the words of this PyTorch: batch norm is synchronised, or frozen."""
PATIENCE = timedelta(minutes=15)
"""For what the others do: compile, predict, or read a slow disk. Then the run fails, and goes on when started again."""


@dataclass(frozen=True)
class Together(ClusterEnvironment):
    """Which of the processes this is, in Lightning's words; whoever calls has started them."""

    rank: int
    processes: int
    port: int

    creates_processes_externally = True
    main_address = LOCALHOST

    @property
    def main_port(self) -> int:
        """Where the first process listens."""
        return self.port

    @staticmethod
    def detect() -> bool:
        """Never found by itself."""
        return False

    def world_size(self) -> int:
        """All processes."""
        return self.processes

    def set_world_size(self, size: int) -> None:
        """Known already."""

    def global_rank(self) -> int:
        """This process."""
        return self.rank

    def set_global_rank(self, rank: int) -> None:
        """Known already."""

    def local_rank(self) -> int:
        """This process; all are on this machine."""
        return self.rank

    def node_rank(self) -> int:
        """The only machine."""
        return 0


def train_together(job: Job, fit: Fit, report: ReportStep) -> None:
    """Train ``fit`` as the first of the processes that the job asks for; the others end with it."""
    port = _free_port()
    with _others(job, port):
        _take_part(fit, report, Together(0, job.compute.devices, port))


def _take_part(fit: Fit, report: ReportStep, place: Together) -> None:
    strategy = DDPStrategy(cluster_environment=place, timeout=PATIENCE, **_EQUAL_BUFFERS)
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, usable_cores() // place.processes))
    try:
        train(fit, report, strategy=strategy)
    finally:
        torch.set_num_threads(threads)
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


@contextmanager
def _others(job: Job, port: int) -> Iterator[None]:
    """The processes besides this one."""
    spawn = multiprocessing.get_context("spawn")  # a fork would copy torch's threads half-way
    others = [
        spawn.Process(target=_help, args=(job, rank, port), daemon=True) for rank in range(1, job.compute.devices)
    ]
    for other in others:
        other.start()
    try:
        yield
        for other in others:
            other.join()
    finally:
        for other in others:
            other.terminate()


def _help(job: Job, rank: int, port: int) -> None:
    """What each of the others does."""
    threading.Thread(target=follow_parent, daemon=True).start()
    fit, _ = job.begin(rank)
    _take_part(fit, ignore_steps, Together(rank, job.compute.devices, port))


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind((LOCALHOST, 0))
        return int(listening.getsockname()[1])
