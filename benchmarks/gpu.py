"""How fast a GPU trains the paper's networks, and how many hours its study takes there: one command, eight minutes.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --try-out

Needs PyTorch, timm and this package; films are drawn. For 224 px at batches of 16, 64 and 256, and ``large`` at 8, 16,
64 and 256: images per second of plain eager PyTorch (NCHW; float32, then bfloat16 autocast), of our step on a batch
that lies on the device (the limit), and of a run as ``cxrbench run`` makes it, films augmented and losses watched
(``run``; the target is 97 % of the limit); the last two again with ``compile: on``. The run leads: after some of its
steps it waits while each other way makes as many, five times over, so that all are timed interleaved; medians are
written, and medians of the ratios within a turn. The first steps of a turn are not counted, nor is compiling. What time
does not allow is left out and said. Writes ``gpu.csv`` to ``benchmarks/results``.

``--try-out`` does the same with small networks on a CPU, to see that the script works, and writes nothing.

Written where there was no GPU: it has only been tried out.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import polars as pl
import torch
from torch import Tensor, nn

from cxrbench.config import (
    AS_FITS_THE_MACHINE,
    Approach,
    ComputeSettings,
    load_approach,
    load_profile,
    load_vocabulary,
    with_changes,
)
from cxrbench.environment import describe_environment, usable_cores
from cxrbench.models.classifier import Classifier, build_classifier
from cxrbench.training.compute import Compute, resolve
from cxrbench.training.history import Step
from cxrbench.training.losses import masked_loss
from drawn_films import run_on_drawn_films

RESULTS = Path(__file__).parent / "results" / "gpu.csv"
LIMIT_SECONDS, COMPILE_SECONDS = 420.0, 120.0
"""No turn begins later; no compiling so short before."""
PAPER_BATCH = {"1channel": 16, "large": 8}
"""Of the approaches that are measured."""
WARM_UP, UNCOUNTED = 8, 4
"""Steps before the first turn, and at the begin of each: compilers and caches fill, what was made ahead is used up."""
TURNS = 5
FEWEST_COUNTED = 4
"""Steps of each turn of each way, where the machine's number of images makes fewer."""
IMAGES, TRAINED, EVALUATED = 112_120, 0.7, 0.3
"""NIH ChestX-ray14, and the shares of a re-sample that are trained on and predicted."""
SPLITS, EPOCHS = 5, 20
"""Of the study whose hours are told; the paper does not say how many epochs."""
FORWARD_SHARE = 1 / 3
"""Of a training step's work; what evaluation takes per image."""
STUDY = {"1channel": 6, "large": 2}
"""Approaches of the paper's eight that cost what this one costs; ``ots`` costs less, counted as one that trains all."""

MakeStep = Callable[[], object]
Row = dict[str, object]


@dataclass(frozen=True)
class Machine:
    """Where it is measured, and how much.

    Attributes:
        device: A GPU, or the CPU where the script is only tried out.
        profile: Size of the networks.
        larger_batches: Beside the paper's.
        counted_images: In each turn of each way.
    """

    device: torch.device
    profile: str
    larger_batches: tuple[int, ...]
    counted_images: int

    def wait(self) -> None:
        """For all that the device was told to do."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def held(self) -> int:
        """Bytes of its memory in use."""
        return torch.cuda.memory_allocated() if self.device.type == "cuda" else 0

    def forget_peak(self) -> None:
        """Seek the most bytes from now on."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()

    def peak(self) -> int:
        """The most bytes in use since."""
        return torch.cuda.max_memory_allocated() if self.device.type == "cuda" else 0


GPU = Machine(torch.device("cuda"), "paper", larger_batches=(16, 64, 256), counted_images=640)
CPU = Machine(torch.device("cpu"), "small", larger_batches=(), counted_images=32)
"""Where the script is only tried out."""


@dataclass(frozen=True)
class Case:
    """What is measured in turns: a run, compiled or not, and what it is compared with."""

    name: str
    batch: int
    is_compiled: bool
    machine: Machine

    @property
    def approach(self) -> Approach:
        """The approach with this batch, and epochs without end."""
        approach = load_profile(self.machine.profile).apply(load_approach(self.name))
        changes = {"recipe.batch_size": self.batch, "recipe.epochs": 1_000, "recipe.stop_after": 1_000}
        return with_changes(approach, changes)

    @property
    def compute(self) -> Compute:
        """What the run resolves to."""
        return resolve(ComputeSettings(compile="on") if self.is_compiled else AS_FITS_THE_MACHINE, self.approach)

    @property
    def counted(self) -> int:
        """Steps of a turn."""
        return max(self.machine.counted_images // self.batch, FEWEST_COUNTED)

    def network(self) -> Classifier:
        """New, on the device."""
        classifier = build_classifier(self.approach, findings=len(load_vocabulary().names), seed=0, weights=None)
        return classifier.train().to(self.machine.device)

    def others(self) -> dict[str, Callable[[], MakeStep]]:
        """Ways that take turns with the run: a function that sets each up and gives its step."""
        if self.is_compiled:
            return {"limit": self.limit}
        return {"limit": self.limit, "eager fp32": self.eager, "eager bf16": lambda: self.eager(is_bf16=True)}

    def limit(self) -> MakeStep:
        """Our step, nothing to wait for."""
        compute = self.compute
        network = self.network().to(memory_format=compute.memory_format)
        if compute.compile is not None:
            network.compile(mode=compute.compile)
        adam = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
        return self._step(network, adam, is_bf16=compute.precision == "bf16")

    def eager(self, *, is_bf16: bool = False) -> MakeStep:
        """PyTorch as it comes."""
        network = self.network().to(memory_format=torch.contiguous_format)
        step = self._step(network, torch.optim.Adam(network.parameters(), lr=1e-4), is_bf16=is_bf16)

        def as_it_comes() -> None:
            with any_kernels():
                step()

        return as_it_comes

    def _step(self, network: nn.Module, adam: torch.optim.Optimizer, *, is_bf16: bool) -> MakeStep:
        """A step on a batch that lies on the device."""
        device, size = self.machine.device, self.approach.input.image_size
        film = torch.rand(self.batch, 1, size, size, device=device)
        features = torch.zeros(self.batch, 0, device=device)
        targets = (torch.rand(self.batch, len(load_vocabulary().names), device=device) < 0.2).float()

        def step() -> Tensor:
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=is_bf16):
                loss = masked_loss(network(film, features), targets)
            adam.zero_grad()
            loss.backward()
            adam.step()
            return loss.detach()

        return step


@contextmanager
def any_kernels() -> Iterator[None]:
    """A run asks for deterministic kernels; PyTorch as it comes does not."""
    asked = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(asked)


class EnoughError(Exception):
    """All turns are over."""


@dataclass
class Way:
    """One of those that take turns.

    Attributes:
        seconds: A counted step's, in each turn.
        peak: The most bytes in use in its turns, without what the other ways hold.
        note: Why it was not measured.
    """

    seconds: list[float] = field(default_factory=list)
    peak: int = 0
    note: str = ""
    step: MakeStep | None = None
    holds: int = 0


@dataclass
class Turns:
    """Called after every step of a run: lets the other ways have their turn after each of the run's."""

    case: Case
    until: float
    run: Way = field(default_factory=Way)
    others: dict[str, Way] = field(default_factory=dict)
    seen: int = 0
    started: float = 0.0

    def __call__(self, _step: Step) -> None:
        """A step of the run is over."""
        since = self.seen - WARM_UP
        self.seen += 1
        if since < 0:
            return
        place = since % (UNCOUNTED + self.case.counted)
        if place == 0 and since:
            self._end_turn()
        if place == UNCOUNTED:
            self._begin_turn()

    def _begin_turn(self) -> None:
        self.case.machine.forget_peak()
        self.case.machine.wait()
        self.started = time.perf_counter()

    def _end_turn(self) -> None:
        machine = self.case.machine
        machine.wait()
        self.run.seconds.append((time.perf_counter() - self.started) / self.case.counted)
        self.run.peak = max(self.run.peak, machine.peak() - sum(way.holds for way in self.others.values()))
        with torch.enable_grad():
            for name, set_up in self.case.others().items():
                self._let(self.others.setdefault(name, Way()), set_up)
        if len(self.run.seconds) == TURNS or time.perf_counter() > self.until:
            raise EnoughError

    def _let(self, way: Way, set_up: Callable[[], MakeStep]) -> None:
        """Another way's turn; what fails is noted, and not tried again."""
        if way.note:
            return
        machine = self.case.machine
        before = machine.held() - way.holds
        try:
            if way.step is None:
                way.step = set_up()
                _repeat(way.step, WARM_UP)
                way.holds = machine.held() - before
            _repeat(way.step, UNCOUNTED)
            machine.forget_peak()
            machine.wait()
            started = time.perf_counter()
            _repeat(way.step, self.case.counted)
            machine.wait()
            way.seconds.append((time.perf_counter() - started) / self.case.counted)
            way.peak = max(way.peak, machine.peak() - before)
        except RuntimeError as error:  # of which running out of memory is one
            way.note, way.step = type(error).__name__, None


def _repeat(step: MakeStep, times: int) -> None:
    for _ in range(times):
        step()


def cases(machine: Machine) -> Iterator[Case]:
    """The paper's batches first, compiled last: what time does not allow is the least interesting."""
    batches = [*PAPER_BATCH.items()]
    batches += [(name, batch) for batch in machine.larger_batches for name in PAPER_BATCH if PAPER_BATCH[name] != batch]
    for is_compiled in (False, True):
        for name, batch in batches:
            yield Case(name, batch, is_compiled, machine)


def make_run(case: Case, turns: Turns) -> None:
    """A run as users make it, its batches from the store, until all turns are over."""
    steps = WARM_UP + TURNS * (UNCOUNTED + case.counted) + 2
    with suppress(EnoughError):
        run_on_drawn_films(case.approach, profile=case.machine.profile, compute=case.compute, steps=steps, report=turns)


def measure(case: Case, until: float) -> list[Row]:
    """A row for each way; no turn begins after ``until``, by the performance counter."""
    torch.compiler.reset()
    torch.cuda.empty_cache()
    turns = Turns(case, until)
    try:
        make_run(case, turns)
    except RuntimeError as error:
        turns.run.note = type(error).__name__
    ways = {"run": turns.run, **{name: turns.others.get(name, Way(note="the run failed")) for name in case.others()}}
    return [row(case, name, way, ways) for name, way in ways.items()]


def row(case: Case, name: str, way: Way, ways: dict[str, Way]) -> Row:
    """What is written of a way."""
    is_measured = bool(way.seconds) and not way.note

    def times(other: str) -> float | None:
        """How many times as fast as another way; median over the turns."""
        if not is_measured or other not in ways or ways[other].note:
            return None
        return round(median(theirs / own for own, theirs in zip(way.seconds, ways[other].seconds, strict=False)), 3)

    return {
        "approach": case.name,
        "batch": case.batch,
        "way": name,
        "is_compiled": case.is_compiled,
        "images_per_second": round(case.batch / median(way.seconds), 1) if is_measured else None,
        "times_limit": times("limit"),
        "times_eager_fp32": times("eager fp32"),
        "times_eager_bf16": times("eager bf16"),
        "peak_memory_gib": round(way.peak / 2**30, 2) if is_measured else None,
        "turns": len(way.seconds),
        "compute": "" if name.startswith("eager") else str(case.compute.record()),
        "note": way.note,
    }


def study_hours(rows: list[Row]) -> float | None:
    """Hours of the paper's study on this GPU, at the paper's batches; None when a rate is lacking."""
    rates = {
        row["approach"]: row.get("images_per_second")
        for row in rows
        if row["way"] == "run" and not row["is_compiled"] and row["batch"] == PAPER_BATCH[str(row["approach"])]
    }
    if not all(isinstance(rates.get(name), float) for name in STUDY):
        return None
    passes = EPOCHS * (TRAINED + 0.1 * FORWARD_SHARE) + EVALUATED * FORWARD_SHARE
    seconds = sum(number * SPLITS * IMAGES * passes / float(str(rates[name])) for name, number in STUDY.items())
    return round(seconds / 3600, 1)


def measure_all(machine: Machine) -> list[Row]:
    """All cases that time allows."""
    until = time.perf_counter() + LIMIT_SECONDS
    rows: list[Row] = []
    for case in cases(machine):
        known = {"approach": case.name, "batch": case.batch, "is_compiled": case.is_compiled}
        if time.perf_counter() > until - case.is_compiled * COMPILE_SECONDS:
            rows += [{**known, "way": way, "note": "no time left"} for way in ("run", *case.others())]
            continue
        found = measure(case, until)
        for one in found:
            print(*(f"{name}={value}" for name, value in one.items() if value not in {None, ""}), flush=True)
        rows += found
    return rows


def main() -> None:
    """Measure and write."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--try-out", action="store_true", help="small networks on a CPU; nothing is written")
    is_trial = arguments.parse_args().try_out
    if is_trial and not torch.cuda.is_available():
        rows = measure_all(CPU)
        print(f"tried out: {len(rows)} rows; hours would be {study_hours(rows)}")
        return
    if not torch.cuda.is_available():
        sys.exit("no GPU is at hand (torch.cuda.is_available() is False); this benchmark measures nothing else")
    rows = measure_all(GPU)
    environment = describe_environment(device=torch.cuda.get_device_name(), threads=usable_cores())
    table = pl.DataFrame(rows, infer_schema_length=None).with_columns(
        device=pl.lit(environment["device"]),
        torch=pl.lit(torch.__version__),
        cuda=pl.lit(torch.version.cuda),
        hours_of_the_papers_study=pl.lit(study_hours(rows)),
    )
    table.write_csv(RESULTS)
    print(f"the paper's study, {SPLITS} re-samples of 8 approaches, {EPOCHS} epochs: {study_hours(rows)} hours")


if __name__ == "__main__":
    main()
