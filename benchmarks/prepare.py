"""How fast is an archive decoded and shrunk: against PIL in a loop, and on two processes against one?

    python benchmarks/prepare.py [--films ../shared/nih-sample/images]

Both read the same PNG files and make both sizes of the store (256 and 480 px). PIL: open, convert to grey, resize
bicubically (its default), bilinearly (torchvision's default), and by area averaging as the store does; nothing is
written. The store as ``cxrbench prepare`` makes it: table read, rows and marks written down to the disk, index. Two
processes are compared on each film eight times over, so that their start counts as it does in an archive. Methods take
turns; medians over the rounds. Writes ``results/prepare.csv``.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

# What else is needed is imported where it is used: each decoding process imports this file.

HERE = Path(__file__).parent
REAL = HERE.parent.parent / "shared" / "nih-sample" / "images"
SIZES = (256, 480)
COPIES = 8
STORE, ONE, TWO = "store", "store, each film eight times", "store, each film eight times, 2 processes"
COMPARISONS = [
    (STORE, "PIL, bicubic", 1.25),
    (STORE, "PIL, bilinear", 1.25),
    (STORE, "PIL, area averaging", None),
    (TWO, ONE, 1.8),
]
"""What is compared with what, and how many times as fast it should be."""
HEADER = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position"


def some_films(folder: Path | None, scratch: Path, most: int) -> tuple[list[Path], str]:
    """Real films where they are at hand, else generated ones; and which."""
    if folder is not None and folder.is_dir():
        return sorted(folder.glob("*.png"))[:most], "NIH sample, 1024 px"
    from cxrbench.data.phantom import PhantomSettings, generate_release  # noqa: PLC0415

    generate_release(scratch / "phantom", PhantomSettings(patients=max(2, most // 2), seed=1, size_px=1024), workers=2)
    return sorted((scratch / "phantom").rglob("*.png"))[:most], "phantom, 1024 px"


def write_archive(films: list[Path], folder: Path, *, copies: int) -> Path:
    """A release of these films, each so many times."""
    (folder / "images").mkdir(parents=True)
    rows = [HEADER]
    for number, film in enumerate(film for film in films for _ in range(copies)):
        name = f"{number:08}_000.png"
        (folder / "images" / name).symlink_to(film.absolute())
        rows.append(f"{name},No Finding,0,{number},50,F,PA")
    (folder / "Data_Entry_2017_v2020.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def with_pil(films: list[Path], filter_: Image.Resampling) -> None:
    """Decode and shrink into arrays."""
    arrays = {size: np.zeros((len(films), size, size), np.uint8) for size in SIZES}
    for row, film in enumerate(films):
        with Image.open(film) as image:
            grey = image.convert("L")
        for size, array in arrays.items():
            array[row] = np.asarray(grey.resize((size, size), filter_))


def with_store(data: Path, folder: Path, workers: int) -> None:
    """What ``cxrbench prepare`` does."""
    from cxrbench.data.store import prepare_store  # noqa: PLC0415
    from cxrbench.data.tables import read_archive  # noqa: PLC0415

    prepare_store(read_archive(data), folder, sizes=SIZES, workers=workers)


def seconds(work: Callable[[], None], store: Path) -> float:
    """Wall time of one call, after which the store is taken away."""
    started = time.perf_counter()
    work()
    spent = time.perf_counter() - started
    shutil.rmtree(store, ignore_errors=True)
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=Path, default=REAL, help="folder of PNG films; generated ones where absent")
    parser.add_argument("--most", type=int, default=300, help="films")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "prepare.csv")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        films, kind = some_films(options.films, scratch, options.most)
        once, often = (write_archive(films, scratch / f"release-{n}", copies=n) for n in (1, COPIES))
        store = scratch / "store"
        work: dict[str, tuple[int, Callable[[], None]]] = {
            "PIL, area averaging": (len(films), lambda: with_pil(films, Image.Resampling.BOX)),
            "PIL, bilinear": (len(films), lambda: with_pil(films, Image.Resampling.BILINEAR)),
            "PIL, bicubic": (len(films), lambda: with_pil(films, Image.Resampling.BICUBIC)),
            STORE: (len(films), lambda: with_store(once, store, 1)),
            ONE: (COPIES * len(films), lambda: with_store(often, store, 1)),
            TWO: (COPIES * len(films), lambda: with_store(often, store, 2)),
        }
        seconds(lambda: with_store(once, store, 1), store)  # the films come from memory from here on
        rounds = [{name: seconds(call, store) for name, (_, call) in work.items()} for _ in range(options.rounds)]
    write(rounds, {name: images for name, (images, _) in work.items()}, kind, options.out)


def write(rounds: list[dict[str, float]], images: dict[str, int], kind: str, out: Path) -> None:
    """One row per method, with its ratio to the one it is compared with, round by round."""
    import polars as pl  # noqa: PLC0415

    from cxrbench.environment import describe_environment  # noqa: PLC0415

    machine = describe_environment(device="cpu", threads=1)
    facts = {"films": kind, "processor": machine["processor"], "cores": machine["cores"], "python": machine["python"]}
    facts |= {name: metadata.version(name) for name in ("opencv-python-headless", "pillow", "numpy")}
    median = {name: statistics.median(each[name] for each in rounds) for name in images}
    rows = [
        {
            "method": name,
            "images": images[name],
            "seconds": round(median[name], 2),
            "images_per_second": round(images[name] / median[name], 1),
            "compared_with": other,
            "times_as_fast": other and round(ratio(rounds, images, name, other), 2),
            "asked_for": target,
            "rounds": len(rounds),
            **facts,
        }
        for name, other, target in [
            *((name, None, None) for name in images if "PIL" in name or name == ONE),
            *COMPARISONS,
        ]
    ]
    table = pl.DataFrame(rows, infer_schema_length=None)
    table.write_csv(out)
    print(table.select("method", "compared_with", "seconds", "images_per_second", "times_as_fast", "asked_for"))


def ratio(rounds: list[dict[str, float]], images: dict[str, int], name: str, other: str) -> float:
    """Median over the rounds of how many times as fast one is as the other."""
    return statistics.median(each[other] / images[other] / (each[name] / images[name]) for each in rounds)


if __name__ == "__main__":
    main()
