"""What features computed once are worth: ten epochs of ``ots``, and of ``ots-cached`` the first time and again.

    python benchmarks/cached_features.py

Full-size networks on drawn films of 224 px; whole runs through ``fit_run``, predictions and files included. The first
run of ``ots-cached`` makes the features, the next one (another split, seed or head) finds them. ``ots`` computes in the
precision that ``auto`` resolves to; kept features are always float32. Writes ``cached_features.csv`` to
``benchmarks/results``.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl
import torch

from cxrbench.config import Approach, RunConfig, WeightsRecord, load_approach, load_vocabulary, with_changes
from cxrbench.data.store.contents import Store, write_store
from cxrbench.environment import describe_environment, usable_cores
from cxrbench.models.weights.stand_in import stand_in_weights
from cxrbench.splits import Split, resample_splits
from cxrbench.training import fit_run
from cxrbench.training.cached_features import FOLDER as KEPT

RESULTS = Path(__file__).parent / "results" / "cached_features.csv"
WAYS = {"ots": "ots", "cached_first": "ots-cached", "cached_again": "ots-cached"}


def draw_archive(folder: Path, images: int, size: int) -> tuple[pl.DataFrame, Store]:
    """A table and a store of drawn films, each patient with one."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    pixels = np.lib.format.open_memmap(
        folder / f"pixels-{size}.npy", mode="w+", dtype=np.uint8, shape=(images, size, size)
    )
    pixels[:] = rng.integers(0, 256, pixels.shape, dtype=np.uint8)
    pixels.flush()
    names = [f"{number:06d}.png" for number in range(images)]
    index = pl.DataFrame({"image_id": names, "row": np.arange(images), "height": size, "width": size})
    store = Store(folder=folder, sizes=(size,), index=index, source="drawn", failures=())
    write_store(store)
    labels = {name: (rng.random(images) < 0.2).astype(np.int8) for name in load_vocabulary().names}
    facts = {"image_id": names, "path": names, "patient_id": names}
    known = {"age_years": [50.0] * images, "sex": ["F"] * images, "view": ["PA"] * images, "follow_up": [0] * images}
    return pl.DataFrame(facts | known | labels), store


def seconds_of(
    approach: Approach,
    folder: Path,
    *,
    table: pl.DataFrame,
    store: Store,
    split: Split,
    weights: dict[str, torch.Tensor],
) -> float:
    """Wall time of a run."""
    folder.mkdir()
    config = RunConfig(
        approach=approach,
        profile="paper",
        weights=WeightsRecord(source="drawn", digest="0" * 64, is_stand_in=True),
        split=split.name,
        split_digest=split.digest,
        store_digest=store.digest,
        table_digest="0" * 64,
        seed=0,
        findings=load_vocabulary().names,
    )
    started = time.perf_counter()
    fit_run(config, folder, table=table, store=store, split=split, weights=weights)
    return time.perf_counter() - started


def measure(folder: Path, *, images: int, epochs: int, rounds: int) -> list[dict[str, float]]:
    """Seconds of every way in each round."""
    ots = load_approach("ots")
    table, store = draw_archive(folder / "store", images, ots.input.store_size)
    split = resample_splits(table, count=1)[0]
    weights = stand_in_weights(ots.network.backbone, image_size=ots.input.image_size, steps=0)
    found = []
    for number in range(rounds):
        taken = {}
        shutil.rmtree(store.folder / KEPT, ignore_errors=True)
        for key, name in WAYS.items():
            approach = with_changes(load_approach(name), {"recipe.epochs": epochs, "recipe.stop_after": epochs})
            run = folder / f"{key}-{number}"
            taken[key] = seconds_of(approach, run, table=table, store=store, split=split, weights=weights)
        found.append(taken)
        print(taken, flush=True)
    return found


def main() -> None:
    """Measure and write."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--images", type=int, default=192)
    arguments.add_argument("--epochs", type=int, default=10)
    arguments.add_argument("--rounds", type=int, default=5)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        rounds = measure(Path(scratch), images=asked.images, epochs=asked.epochs, rounds=asked.rounds)
    environment = describe_environment(device="cpu", threads=usable_cores())
    row = {
        "images": asked.images,
        "epochs": asked.epochs,
        **{f"{key}_seconds": round(median(taken[key] for taken in rounds), 2) for key in WAYS},
        "times_first": round(median(taken["ots"] / taken["cached_first"] for taken in rounds), 1),
        "times_again": round(median(taken["ots"] / taken["cached_again"] for taken in rounds), 1),
        "rounds": asked.rounds,
        "processor": environment["processor"],
        "cores": environment["cores"],
        "torch": torch.__version__,
    }
    pl.DataFrame([row]).write_csv(RESULTS)
    print(row)


if __name__ == "__main__":
    main()
