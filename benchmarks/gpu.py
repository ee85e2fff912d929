"""How fast a GPU trains the paper's networks, and how many hours its study takes there: one command, eight minutes.

    python benchmarks/gpu.py

Needs PyTorch, timm and this package; films are drawn. For 224 px at batches of 16, 64 and 256, and ``large`` at 8, 64
and 256: images per second of plain eager PyTorch (NCHW; float32, then bfloat16 autocast), of our step on a batch that
lies on the device (the limit), and of a run as ``cxrbench run`` makes it, films augmented and losses watched (``run``;
the target is 97 % of the limit); both again with ``compile: on``. Compiling is not timed. What time does not allow is
left out and said. Each way is timed once, one after the other, not interleaved: differences of a few percent mean
nothing. Writes ``gpu.csv`` to ``benchmarks/results``.

Written where there was no GPU: it has not been run on one yet.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from cxrbench.config import AS_FITS_THE_MACHINE, Approach, ComputeSettings, load_approach
from cxrbench.data.delivery import Part
from cxrbench.data.films import choose_films
from cxrbench.environment import describe_environment, usable_cores
from cxrbench.findings import NIH
from cxrbench.models.classifier import Classifier, build_classifier, masked_loss
from cxrbench.training.compute import Compute, resolve
from cxrbench.training.fit import Fit
from cxrbench.training.identity import RunConfig
from cxrbench.training.parts import RunParts
from cxrbench.training.state import Step
from cxrbench.training.trainer import train

RESULTS = Path(__file__).parent / "results" / "gpu.csv"
LIMIT_SECONDS = 450.0
PAPER_BATCH = {"1channel": 16, "large": 8}
"""Of the approaches that are measured."""
LARGER_BATCHES = (64, 256)
WAYS = ("eager fp32", "eager bf16", "limit", "run", "limit, compiled", "run, compiled")
WARM_UP, COUNTED = 12, 30
"""Steps; the first compile and fill caches."""
IMAGES, TRAINED, EVALUATED = 112_120, 0.7, 0.3
"""NIH ChestX-ray14, and the shares of a re-sample that are trained on and predicted."""
SPLITS, EPOCHS = 5, 20
"""Of the study whose hours are told; the paper does not say how many epochs."""
FORWARD_SHARE = 1 / 3
"""Of a training step's work; what evaluation takes per image."""
STUDY = {"1channel": 6, "large": 2}
"""Approaches of the paper's eight that cost what this one costs; ``ots`` costs less, counted as one that trains all."""


@dataclass(frozen=True)
class Case:
    """What is measured."""

    approach: str
    batch: int
    way: str


def cases() -> Iterator[Case]:
    """The paper's batch first: what time does not allow is the least interesting."""
    for batches in (PAPER_BATCH, *(dict.fromkeys(PAPER_BATCH, batch) for batch in LARGER_BATCHES)):
        for approach, batch in batches.items():
            for way in WAYS:
                yield Case(approach, batch, way)


def approach_of(case: Case) -> Approach:
    """The approach with this batch, and epochs without end."""
    approach = load_approach(case.approach)
    recipe = approach.recipe.model_copy(update={"batch_size": case.batch, "epochs": 1_000, "stop_after": 1_000})
    return approach.model_copy(update={"recipe": recipe})


def per_second(step: Callable[[], object], batch: int) -> float:
    """Images per second, the device waited for before and after, never between."""
    for _ in range(WARM_UP):
        step()
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(COUNTED):
        step()
    torch.cuda.synchronize()
    return batch * COUNTED / (time.perf_counter() - started)


def on_device_step(
    network: nn.Module, adam: torch.optim.Optimizer, case: Case, *, is_bf16: bool
) -> Callable[[], Tensor]:
    """A step on a batch that lies on the device."""
    size, device = load_approach(case.approach).input.image_size, torch.device("cuda")
    film, features = torch.rand(case.batch, 1, size, size, device=device), torch.zeros(case.batch, 0, device=device)
    targets = (torch.rand(case.batch, len(NIH), device=device) < 0.2).float()

    def step() -> Tensor:
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=is_bf16):
            loss = masked_loss(network(film, features), targets)
        adam.zero_grad()
        loss.backward()
        adam.step()
        return loss.detach()

    return step


def network_of(case: Case) -> Classifier:
    """New, on the device."""
    return build_classifier(approach_of(case), findings=len(NIH), seed=0, weights=None).train().cuda()


def eager_rate(case: Case) -> float:
    """PyTorch as it comes."""
    network = network_of(case).to(memory_format=torch.contiguous_format)
    adam = torch.optim.Adam(network.parameters(), lr=1e-4)
    return per_second(on_device_step(network, adam, case, is_bf16=case.way == "eager bf16"), case.batch)


def limit_rate(case: Case, compute: Compute) -> float:
    """Our step, nothing to wait for."""
    network = network_of(case).to(memory_format=compute.memory_format)
    if compute.compile is not None:
        network.compile(mode=compute.compile)
    adam = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
    return per_second(on_device_step(network, adam, case, is_bf16=compute.precision == "bf16"), case.batch)


class EnoughError(Exception):
    """The run has made the steps that are timed."""


@dataclass
class Watch:
    """Times the steps of a run from outside: waits for the device at the first and the last that count."""

    seen: int = 0
    started: float = 0.0
    seconds: float = 0.0

    def __call__(self, _step: Step) -> None:
        """Called after every step of the run."""
        self.seen += 1
        if self.seen == WARM_UP:
            torch.cuda.synchronize()
            self.started = time.perf_counter()
        if self.seen == WARM_UP + COUNTED:
            torch.cuda.synchronize()
            self.seconds = time.perf_counter() - self.started
            raise EnoughError


def drawn_part(approach: Approach, images: int) -> Part:
    """Random films in a store of their own."""
    rng, side = np.random.default_rng(0), approach.input.store_size
    pixels = rng.integers(0, 256, (images, side, side), dtype=np.uint8)
    return Part(
        pixels=pixels,
        rows=np.arange(images),
        targets=(rng.random((images, len(NIH))) < 0.2).astype(np.float32),
        features=np.zeros((images, 0), np.float32),
        image_size=approach.input.image_size,
        films=choose_films(pixels, torch.device("cuda")),
    )


def run_rate(case: Case, compute: Compute) -> float:
    """A run as users make it, its batches from the store."""
    approach = approach_of(case)
    part = drawn_part(approach, case.batch * (WARM_UP + COUNTED + 2))
    config = RunConfig(
        approach=approach,
        profile="paper",
        weights=None,
        split="drawn",
        split_digest="",
        store_digest="",
        table_digest="",
        seed=0,
        findings=NIH,
    )
    watch = Watch()
    with tempfile.TemporaryDirectory() as scratch, suppress(EnoughError):
        parts = RunParts(train=part, val=part, test=part)
        fit = Fit(network_of(case).cpu(), config, parts=parts, folder=Path(scratch), compute=compute)
        train(fit, watch)
    return case.batch * COUNTED / watch.seconds


def measure(case: Case) -> dict[str, object]:
    """One row."""
    torch.use_deterministic_algorithms(False)  # a run asks for them, and leaves it at that
    torch.compiler.reset()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    settings = ComputeSettings(compile="on") if case.way.endswith("compiled") else AS_FITS_THE_MACHINE
    compute = resolve(settings, approach_of(case))
    try:
        if case.way.startswith("eager"):
            rate: float | None = eager_rate(case)
        else:
            rate = limit_rate(case, compute) if case.way.startswith("limit") else run_rate(case, compute)
        note = ""
    except torch.cuda.OutOfMemoryError:
        rate, note = None, "out of memory"
    return {
        "approach": case.approach,
        "batch": case.batch,
        "way": case.way,
        "images_per_second": None if rate is None else round(rate, 1),
        "peak_memory_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2),
        "compute": "" if case.way.startswith("eager") else str(compute.record()),
        "note": note,
    }


def study_hours(rows: list[dict[str, object]]) -> float | None:
    """Hours of the paper's study on this GPU, at the paper's batches; None when a rate is lacking."""
    rates = {
        row["approach"]: row.get("images_per_second")
        for row in rows
        if row["way"] == "run" and row["batch"] == PAPER_BATCH[str(row["approach"])]
    }
    if not all(isinstance(rates.get(name), float) for name in STUDY):
        return None
    passes = EPOCHS * (TRAINED + 0.1 * FORWARD_SHARE) + EVALUATED * FORWARD_SHARE
    seconds = sum(number * SPLITS * IMAGES * passes / float(str(rates[name])) for name, number in STUDY.items())
    return round(seconds / 3600, 1)


def main() -> None:
    """Measure and write."""
    if not torch.cuda.is_available():
        sys.exit("no GPU is at hand (torch.cuda.is_available() is False); this benchmark measures nothing else")
    started, rows = time.perf_counter(), []
    for case in cases():
        if time.perf_counter() - started > LIMIT_SECONDS:
            rows.append({"approach": case.approach, "batch": case.batch, "way": case.way, "note": "no time left"})
            continue
        rows.append(measure(case))
        print(rows[-1], flush=True)
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
