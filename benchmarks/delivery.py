"""How fast batches come: from the store, against PNG files through PIL in a DataLoader with two workers.

    python benchmarks/delivery.py

Films of 1024 px are drawn, written as PNG and shrunk into a store. Both sides give batches of 16 augmented films of 224
px and take turns; medians over the rounds are reported. Then a ResNet-50 trains from the store, and the time that its
steps wait for a batch is set against the time that they take. Writes ``delivery.csv`` to ``benchmarks/results``.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import polars as pl
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from cxrbench.config import AS_FITS_THE_MACHINE, Augmentation, load_approach
from cxrbench.data.delivery import Part, TrainingBatches
from cxrbench.data.films import ResidentFilms, load_store
from cxrbench.environment import describe_environment, keep_memory_mapped, usable_cores
from cxrbench.models.classifier import build_classifier
from cxrbench.training.compute import resolve
from cxrbench.training.losses import masked_loss

RESULTS = Path(__file__).parent / "results" / "delivery.csv"
BATCH, SIDE, STORE, FILM = 16, 224, 256, 1024
TARGET_TIMES, TARGET_WAITING = 40.0, 0.03
PASSES = 10
"""Of the store per round; one pass takes too little time to measure."""


def draw_films(folder: Path, count: int) -> list[Path]:
    """PNG files as large as those of the NIH release: smooth pictures with grain."""
    rng, paths = np.random.default_rng(0), []
    for number in range(count):
        coarse = rng.random((12, 12)).astype(np.float32) * 200
        film = cv2.resize(coarse, (FILM, FILM), interpolation=cv2.INTER_CUBIC) + rng.normal(0, 2.5, (FILM, FILM))
        paths.append(folder / f"{number:05d}.png")
        Image.fromarray(film.clip(0, 255).astype(np.uint8)).save(paths[-1])
    return paths


class Files(Dataset[Tensor]):
    """The common way: decode, shrink, crop, turn and mirror each film with PIL."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        rng = np.random.default_rng()
        with Image.open(self.paths[index]) as png:
            film = png.convert("L").resize((STORE, STORE), Image.Resampling.BILINEAR)
        share, aspect = rng.uniform(0.08, 1), rng.uniform(3 / 4, 4 / 3)
        width, height = (min(1.0, float(np.sqrt(side))) * STORE for side in (share * aspect, share / aspect))
        left, top = rng.uniform(0, STORE - width), rng.uniform(0, STORE - height)
        film = film.rotate(rng.uniform(-7, 7), Image.Resampling.BILINEAR)
        box = (left, top, left + width, top + height)
        film = film.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box)
        if rng.random() < 0.5:
            film = film.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return torch.from_numpy(np.asarray(film, np.float32) / 255)[None]


def make_part(folder: Path, paths: list[Path]) -> Part:
    """The same films as a store."""
    store = np.lib.format.open_memmap(
        folder / "pixels.npy", mode="w+", dtype=np.uint8, shape=(len(paths), STORE, STORE)
    )
    for row, path in enumerate(paths):
        store[row] = cv2.resize(
            cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), (STORE, STORE), interpolation=cv2.INTER_AREA
        )
    store.flush()
    return Part(
        pixels=np.load(folder / "pixels.npy", mmap_mode="r"),
        rows=np.arange(len(paths)),
        targets=np.zeros((len(paths), 15), np.float32),
        features=np.zeros((len(paths), 0), np.float32),
        image_size=SIDE,
    )


def epoch_of(part: Part, epoch: int) -> TrainingBatches:
    """Augmented batches as the paper has them."""
    return TrainingBatches(part=part, augmentation=Augmentation(), batch_size=BATCH, seed=0, epoch=epoch)


def images_per_second(epochs: Iterator[object], images: int) -> float:
    """Rate of going through all batches."""
    started = time.perf_counter()
    for batches in epochs:
        for _ in batches:  # type: ignore[attr-defined]
            pass
    return images / (time.perf_counter() - started)


def waiting_share(part: Part, steps: int, threads: int) -> float:
    """Share of the training steps' time in which they wait for a batch; the first two do not count."""
    torch.set_num_threads(threads)
    approach = load_approach("1channel")
    compute = resolve(AS_FITS_THE_MACHINE, approach)
    keep_memory_mapped()
    network = (
        build_classifier(approach, findings=15, seed=0, weights=None).train().to(memory_format=compute.memory_format)
    )
    adam = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    batches, waited, taken = iter(epoch_of(part, 0)), [], []
    for _ in range(steps + 2):
        began = time.perf_counter()
        film, features, targets, _ = next(batches)
        came = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=compute.precision == "bf16"):
            loss = masked_loss(network(film, features), targets)
        adam.zero_grad()
        loss.backward()
        adam.step()
        waited.append(came - began)
        taken.append(time.perf_counter() - began)
    return sum(waited[2:]) / sum(taken[2:])


def main() -> None:
    """Measure and write."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--films", type=int, default=256)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--steps", type=int, default=8)
    asked = arguments.parse_args()
    threads = usable_cores()
    rates: dict[str, list[float]] = {"png": [], "store": [], "grid_sample": []}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        paths = draw_films(folder, asked.films)
        megabytes = sum(path.stat().st_size for path in paths) / len(paths) / 1e6
        part = make_part(folder, paths)
        sampled = Part(**(vars(part) | {"films": ResidentFilms(load_store(part.pixels, torch.device("cpu")))}))
        loader = DataLoader(Files(paths), batch_size=BATCH, shuffle=True, num_workers=2, persistent_workers=True)
        for _ in loader:  # the workers start
            pass
        for _ in range(asked.rounds):
            rates["png"].append(images_per_second(iter([loader]), len(paths)))
            many = PASSES * len(paths)
            rates["store"].append(images_per_second((epoch_of(part, epoch) for epoch in range(PASSES)), many))
            rates["grid_sample"].append(images_per_second(iter([epoch_of(sampled, 0)]), len(paths)))
        del loader
        waiting = waiting_share(part, asked.steps, threads)
    times = [fast / slow for fast, slow in zip(rates["store"], rates["png"], strict=True)]
    environment = describe_environment(device="cpu", threads=threads)
    row = {
        "films": asked.films,
        "megabytes_per_png": round(megabytes, 2),
        "png_images_per_second": round(median(rates["png"]), 1),
        "store_images_per_second": round(median(rates["store"])),
        "grid_sample_images_per_second": round(median(rates["grid_sample"])),
        "times": round(median(times), 1),
        "target_times": TARGET_TIMES,
        "share_waiting": round(waiting, 4),
        "target_share_waiting": TARGET_WAITING,
        "rounds": asked.rounds,
        "processor": environment["processor"],
        "cores": environment["cores"],
        "threads": threads,
        "torch": torch.__version__,
        "opencv": cv2.__version__,
    }
    pl.DataFrame([row]).write_csv(RESULTS)
    print(row)


if __name__ == "__main__":
    main()
