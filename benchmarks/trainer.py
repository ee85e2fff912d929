"""What the training loop costs: time to import ``cxrbench.training``, and to make a step, against another checkout.

    python benchmarks/trainer.py --against CHECKOUT

The other checkout is of an earlier version of this repository, such as 0.1.0, whose loop was Lightning's Trainer (which
then has to be installed). The two take turns: imports in a new process each, steps in two processes that wait for one
another. A step is one of ``cxrbench run`` with profile ``small`` and approach ``1channel`` on one thread, its batches
of random films from a store. Elapsed time and the own time of the process (all its threads, batches included) are told:
the latter counts where other work shares the machine. Medians are written to ``trainer.csv`` in ``benchmarks/results``.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from statistics import median

import polars as pl

from cxrbench.environment import describe_environment

RESULTS = Path(__file__).parent / "results" / "trainer.csv"
HERE = Path(__file__).parents[1]
UNCOUNTED, COUNTED = 10, 20
"""Steps of each process before its first turn, and in each turn."""
IMPORT = """
import time
started = time.perf_counter(), time.process_time()
import cxrbench.training
print(time.perf_counter() - started[0], time.process_time() - started[1])
"""
STEPS = f"""
import sys, time
from contextlib import suppress
import torch
torch.set_num_threads(1)
from cxrbench.config import AS_FITS_THE_MACHINE, load_approach, load_profile
from cxrbench.environment import keep_memory_mapped
from cxrbench.training.compute import resolve
from drawn_films import run_on_drawn_films

seen, started = 0, None

def report(step):
    global seen, started
    seen += 1
    if seen < {UNCOUNTED} or (seen - {UNCOUNTED}) % {COUNTED}:
        return
    if started:
        taken = time.perf_counter() - started[0], time.process_time() - started[1]
        print(*(each / {COUNTED} for each in taken), flush=True)
    if not sys.stdin.readline():
        sys.exit()
    started = time.perf_counter(), time.process_time()

approach = load_profile("small").apply(load_approach("1channel"))
compute = resolve(AS_FITS_THE_MACHINE, approach)
if compute.keeps_memory:
    keep_memory_mapped()
with suppress(SystemExit, KeyboardInterrupt):  # Lightning makes the one of the other
    run_on_drawn_films(approach, profile="small", compute=compute, steps=10_000, report=report)
"""

Seconds = tuple[float, float]
"""Elapsed, and of the process."""


def start(script: str, checkout: Path) -> "subprocess.Popen[str]":
    """Run a script on a checkout, in a new process."""
    paths = os.pathsep.join(str(checkout / folder) for folder in ("src", "benchmarks"))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", script],
        env=environment | {"PYTHONPATH": paths},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def read(process: "subprocess.Popen[str]") -> Seconds:
    """Wait for the seconds that a process says next."""
    assert process.stdout is not None  # noqa: S101 - it was started with a pipe
    elapsed, own = process.stdout.readline().split()
    return float(elapsed), float(own)


def take_turns(turns: dict[Path, Callable[[], Seconds]], rounds: int) -> dict[Path, list[Seconds]]:
    """Seconds of each checkout's turns, without the first, which writes byte code and warms up."""
    taken: dict[Path, list[Seconds]] = {checkout: [] for checkout in turns}
    for _ in range(rounds + 1):
        for checkout, turn in turns.items():
            taken[checkout].append(turn())
    return {checkout: numbers[1:] for checkout, numbers in taken.items()}


def import_seconds(checkouts: tuple[Path, Path], rounds: int) -> dict[Path, list[Seconds]]:
    """Seconds to import the training room."""

    def turn(checkout: Path) -> Seconds:
        with start(IMPORT, checkout) as process:
            return read(process)

    return take_turns({checkout: lambda checkout=checkout: turn(checkout) for checkout in checkouts}, rounds)


def step_seconds(checkouts: tuple[Path, Path], rounds: int) -> dict[Path, list[Seconds]]:
    """Seconds of a training step."""

    def turn(process: "subprocess.Popen[str]") -> Seconds:
        assert process.stdin is not None  # noqa: S101 - it was started with a pipe
        process.stdin.write("\n")
        process.stdin.flush()
        return read(process)

    processes = {checkout: start(STEPS, checkout) for checkout in checkouts}
    try:
        return take_turns(
            {checkout: lambda process=process: turn(process) for checkout, process in processes.items()}, rounds
        )
    finally:
        for process in processes.values():
            process.communicate()  # ends its input, and so the process


def loop_of(checkout: Path) -> str:
    """Return what the checkout's loop is made with."""
    is_lightning = "lightning" in (checkout / "pyproject.toml").read_text(encoding="utf-8")
    return f"lightning {metadata.version('lightning')}" if is_lightning else "PyTorch alone"


def main() -> None:
    """Measure and write."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--against", type=Path, required=True, help="checkout of the version to compare with")
    arguments.add_argument("--rounds", type=int, default=7)
    asked = arguments.parse_args()
    checkouts = (asked.against, HERE)
    machine = describe_environment(device="cpu", threads=1)
    rows = []
    for what, measure in (("import", import_seconds), ("step", step_seconds)):
        taken = measure(checkouts, asked.rounds)
        for clock, kind in enumerate(("elapsed", "of the process")):
            numbers = {checkout: [1000 * each[clock] for each in taken[checkout]] for checkout in checkouts}
            pairs = zip(*numbers.values(), strict=True)
            times = {asked.against: 1.0, HERE: round(median(other / here for other, here in pairs), 3)}
            rows += [
                {
                    "what": what,
                    "time": kind,
                    "loop": loop_of(checkout),
                    "milliseconds": round(median(each), 1),
                    "least": round(min(each), 1),
                    "most": round(max(each), 1),
                    "times_as_fast": times[checkout],
                    "rounds": asked.rounds,
                    **{name: machine[name] for name in ("processor", "cores", "threads", "python")},
                    "torch": metadata.version("torch"),
                }
                for checkout, each in numbers.items()
            ]
    pl.DataFrame(rows).write_csv(RESULTS)
    print(pl.read_csv(RESULTS))


if __name__ == "__main__":
    main()
