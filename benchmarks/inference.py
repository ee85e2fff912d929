"""How fast is one batch: torch as written, against what ``predict`` and ``serve`` use.

    OMP_NUM_THREADS=2 python benchmarks/inference.py BUNDLE [BUNDLE ...]

Each bundle has one network and exports to ONNX and OpenVINO. Backends take turns on the same films, arrays in, logits
out; medians over the rounds are reported, and the ratio is the median over the ratios of each round. Reading, shrinking
and loading are not timed (see predict_films.py). Writes ``inference.csv`` to ``benchmarks/results``.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from cxrbench.bundle import Bundle, load_bundle
from cxrbench.bundle.differences import largest_difference
from cxrbench.environment import describe_environment
from cxrbench.predict.backends import AUTO, BACKENDS
from cxrbench.predict.exported import FORMS, has_export
from cxrbench.predict.opening import open_networks
from cxrbench.predict.runtimes import openvino_module, optional_module

RESULTS = Path(__file__).parent / "results" / "inference.csv"
EAGER = "torch eager, NCHW"
BATCHES = (1, 16)
TARGETS = {1: 1.25, 16: 1.5}
"""Batch -> how many times as fast as eager torch ``auto`` is to be."""

Floats = NDArray[np.float32]
Network = Callable[[Floats, Floats], Floats]


def eager(bundle: Bundle) -> Network:
    """The network as whoever loads the weights writes it: no memory format chosen."""
    classifier = bundle.classifier(bundle.members[0]).to(memory_format=torch.contiguous_format)

    @torch.inference_mode()
    def run(films: Floats, features: Floats) -> Floats:
        return np.asarray(classifier(torch.from_numpy(films), torch.from_numpy(features)).numpy())

    return run


def draw_batch(bundle: Bundle, size: int) -> tuple[Floats, Floats]:
    """Films (B, 1, H, W) and features (B, F), drawn at random."""
    member, rng = bundle.members[0], np.random.default_rng(0)
    side = member.approach.input.image_size
    return rng.random((size, 1, side, side), np.float32), rng.random(
        (size, len(member.approach.network.features)), np.float32
    )


def seconds(network: Network, batch: tuple[Floats, Floats]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    network(*batch)
    return time.perf_counter() - started


def measure(bundle: Bundle, *, rounds: int) -> list[dict[str, object]]:
    """One row per batch and backend."""
    member = bundle.members[0]
    there = [name for name in BACKENDS if name not in FORMS or has_export(bundle, name)]
    networks = {EAGER: eager(bundle)} | {name: BACKENDS[name](bundle, member) for name in there}
    auto = open_networks(bundle, AUTO).backend
    rows = []
    for size in BATCHES:
        batch = draw_batch(bundle, size)
        logits = {name: network(*batch) for name, network in networks.items()}  # warms up, too
        times = [{name: seconds(network, batch) for name, network in networks.items()} for _ in range(rounds)]
        for name in networks:
            ratio = median(each[EAGER] / each[name] for each in times)
            rows.append(
                {
                    "approach": member.run.approach,
                    "image_size": member.approach.input.image_size,
                    "batch": size,
                    "backend": name,
                    "is_auto": name == auto,
                    "milliseconds": round(1000 * median(each[name] for each in times), 1),
                    "times_as_fast": round(ratio, 2),
                    "target": TARGETS[size] if name == auto else None,
                    "largest_difference": f"{largest_difference(logits[name], logits[EAGER]).largest:.1e}",
                    "rounds": rounds,
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    rows = [row for folder in given.bundles for row in measure(load_bundle(folder), rounds=given.rounds)]
    told = describe_environment(device="cpu", threads=torch.get_num_threads())
    machine = {name: told[name] for name in ("processor", "cores", "threads")}
    versions = {"torch": torch.__version__, "openvino": openvino_module().__version__.split("-")[0]}
    versions["onnxruntime"] = optional_module("onnxruntime").__version__
    table = pl.DataFrame([row | machine | versions for row in rows], infer_schema_length=None)
    table.write_csv(given.out)
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=200):
        print(table.select(pl.exclude(*machine, *versions)))


if __name__ == "__main__":
    main()
