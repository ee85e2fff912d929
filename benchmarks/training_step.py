"""How long one training step takes: what ``auto`` resolves to, against PyTorch as it comes (eager, NCHW, float32).

    python benchmarks/training_step.py

A process for each way, as the allocator's setting is a process's own; they take turns, a step each. Medians over the
rounds are reported, and the share of the fastest convolution that this machine was seen to do. ``auto-fp32`` is what
``auto`` resolves to on a machine without bfloat16. ``run`` is a step of a run as ``cxrbench run`` makes it, with its
batch from a store; while the others step it waits, its next batches being made. Writes ``training_step.csv`` to
``benchmarks/results``.
"""

import argparse
import multiprocessing
import time
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import polars as pl
import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from cxrbench.config import AS_FITS_THE_MACHINE, load_approach
from cxrbench.environment import describe_environment, keep_memory_mapped, usable_cores
from cxrbench.models.classifier import build_classifier
from cxrbench.training.compute import Compute, resolve
from cxrbench.training.history import Step
from cxrbench.training.losses import masked_loss
from drawn_films import run_on_drawn_films

RESULTS = Path(__file__).parent / "results" / "training_step.csv"
RUN = "run"
STEPS_ALONE = ("eager", "auto-fp32", "auto")
CASES = (("1channel", 16, (*STEPS_ALONE, RUN)), ("large", 8, (*STEPS_ALONE, RUN)), ("large", 16, STEPS_ALONE))
"""Approach, batch, and the ways that are measured: the paper's batches, and its larger one for both sizes."""
CONVOLUTIONS = ((64, 56, 3), (128, 28, 3), (256, 14, 3), (256, 56, 1), (1024, 14, 1))
"""Channels, side and kernel of ResNet-50's own, among which the peak is sought."""
STEPS = 100
"""Of the run's epoch, which is never finished."""
PEAKS = {"fp32": "float32", "bf16": "bfloat16"}
"""Precision -> PyTorch's name of it."""


def compute_of(way: str, approach_name: str) -> Compute | None:
    """Resolved settings of a way; None: as PyTorch comes."""
    if way == "eager":
        return None
    resolved = resolve(AS_FITS_THE_MACHINE, load_approach(approach_name))
    return replace(resolved, precision="fp32") if way == "auto-fp32" else resolved


class Stepper:
    """A network, its optimiser and a batch."""

    def __init__(self, approach_name: str, batch: int, compute: Compute | None) -> None:
        approach = load_approach(approach_name)
        if compute is not None and compute.keeps_memory:
            keep_memory_mapped()
        order = torch.contiguous_format if compute is None else compute.memory_format
        network = build_classifier(approach, findings=15, seed=0, weights=None).train()
        self.network = network.to(memory_format=order)
        self.adam = torch.optim.Adam(self.network.parameters(), lr=1e-3, fused=compute is not None or None)
        self.is_bf16 = compute is not None and compute.precision == "bf16"
        size = approach.input.image_size
        self.film, self.targets = torch.rand(batch, 1, size, size), (torch.rand(batch, 15) < 0.2).float()
        self.features = torch.zeros(batch, 0)

    def step(self) -> float:
        """Seconds of one step."""
        started = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.is_bf16):
            loss = masked_loss(self.network(self.film, self.features), self.targets)
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        return time.perf_counter() - started


def serve(pipe: Connection, approach_name: str, batch: int, way: str, threads: int) -> None:
    """Make a step each time one is asked for."""
    torch.set_num_threads(threads)
    if way == RUN:
        serve_run(pipe, approach_name)
        return
    stepper = Stepper(approach_name, batch, compute_of(way, approach_name))
    while pipe.recv():
        pipe.send(stepper.step())


class EnoughError(Exception):
    """No more steps are asked for."""


def serve_run(pipe: Connection, approach_name: str) -> None:
    """Let a run make a step each time one is asked for."""
    started = 0.0

    def wait(_step: Step | None = None) -> None:
        nonlocal started
        if started:
            pipe.send(time.perf_counter() - started)
        if not pipe.recv():
            raise EnoughError
        started = time.perf_counter()

    approach = load_approach(approach_name)
    compute = resolve(AS_FITS_THE_MACHINE, approach)
    if compute.keeps_memory:
        keep_memory_mapped()
    with suppress(EnoughError):
        wait()
        run_on_drawn_films(approach, profile="paper", compute=compute, steps=STEPS, report=wait)


def measure(
    approach_name: str, batch: int, ways: tuple[str, ...], *, rounds: int, threads: int
) -> dict[str, list[float]]:
    """Seconds per step of each way, interleaved; one step of each is not counted."""
    spawn = multiprocessing.get_context("spawn")
    pipes, processes = {}, []
    for way in ways:
        pipes[way], theirs = spawn.Pipe()
        processes.append(spawn.Process(target=serve, args=(theirs, approach_name, batch, way, threads), daemon=True))
        processes[-1].start()
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds + 1):
        for way, pipe in pipes.items():
            pipe.send(True)
            seconds[way].append(pipe.recv())
    for pipe in pipes.values():
        pipe.send(False)
    for process in processes:  # their memory is needed
        process.join()
    return {way: taken[1:] for way, taken in seconds.items()}


def step_gflop(approach_name: str, batch: int) -> float:
    """Multiplications and additions of a step, 10^9, as PyTorch counts them."""
    stepper = Stepper(approach_name, batch, None)
    with FlopCounterMode(display=False) as counter:
        stepper.step()
    return float(counter.get_total_flops()) / 1e9


def convolution_peak(dtype: torch.dtype, *, seconds: float = 1.0) -> float:
    """GFLOP/s of the fastest convolution, forward, channels last."""
    best = 0.0
    for channels, side, kernel in CONVOLUTIONS:
        film = torch.rand(16, channels, side, side).to(dtype).to(memory_format=torch.channels_last)
        weight = torch.rand(channels, channels, kernel, kernel).to(dtype).to(memory_format=torch.channels_last)
        work = 2 * 16 * side**2 * channels**2 * kernel**2 / 1e9
        end = time.perf_counter() + seconds
        while (started := time.perf_counter()) < end:
            functional.conv2d(film, weight, padding=kernel // 2)
            best = max(best, work / (time.perf_counter() - started))
    return best


def main() -> None:
    """Measure and write."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=5)
    asked = arguments.parse_args()
    threads = usable_cores()
    torch.set_num_threads(threads)
    environment = describe_environment(device="cpu", threads=threads)
    with torch.inference_mode():
        peaks = {name: convolution_peak(getattr(torch, kind)) for name, kind in PEAKS.items()}
    rows = []
    for approach_name, batch, ways in CASES:
        gflop = step_gflop(approach_name, batch)
        seconds = measure(approach_name, batch, ways, rounds=asked.rounds, threads=threads)
        for way, taken in seconds.items():
            compute = compute_of(way, approach_name)
            precision = "fp32" if compute is None else compute.precision
            ratios = [slow / fast for slow, fast in zip(seconds["eager"], taken, strict=True)]
            rows.append(
                {
                    "approach": approach_name,
                    "image_size": load_approach(approach_name).input.image_size,
                    "batch": batch,
                    "way": way,
                    "precision": precision,
                    "seconds": round(median(taken), 3),
                    "times_eager": round(median(ratios), 2),
                    "step_gflop": round(gflop),
                    "gflops": round(gflop / median(taken)),
                    "peak_gflops": round(peaks[precision]),
                    "share_of_peak": round(gflop / median(taken) / peaks[precision], 2),
                    "rounds": asked.rounds,
                    "processor": environment["processor"],
                    "cores": environment["cores"],
                    "threads": threads,
                    "torch": torch.__version__,
                }
            )
    pl.DataFrame(rows).write_csv(RESULTS)
    print(pl.read_csv(RESULTS))


if __name__ == "__main__":
    main()
