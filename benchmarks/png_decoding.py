"""What decoding and shrinking a PNG film cost a core: OpenCV, Pillow and kornia-rs, interleaved.

    python benchmarks/png_decoding.py FOLDER

Needs kornia-rs beside OpenCV and Pillow, and nothing of this package, so it runs in an environment of its own. Each
film is decoded from memory by each in turn, ``--rounds`` times; times are processor seconds, as other work shares the
machine. Greyscale PNGs of 8 bits count, whose pixels must be equal. Writes ``png_decoding.csv`` to
``benchmarks/results``: medians over films of the median over rounds.
"""

import argparse
import csv
import io
import platform
import statistics
import time
import zlib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
from kornia_rs import io as kornia
from PIL import Image

HERE = Path(__file__).parent
GREY_8 = (8, 0)
"""Bit depth and colour type of a PNG's header."""


def shape_of(content: bytes) -> tuple[int, int] | None:
    """Height and width of a greyscale PNG of 8 bits; None of others."""
    width, height = int.from_bytes(content[16:20]), int.from_bytes(content[20:24])
    return (height, width) if (content[24], content[25]) == GREY_8 else None


def checked(content: bytes) -> int:
    """Verify the checksums of all chunks."""
    view, place, sound = memoryview(content), 8, 0
    while place < len(content):
        end = place + 12 + int.from_bytes(view[place : place + 4])
        sound += zlib.crc32(view[place + 4 : end - 4]) == int.from_bytes(view[end - 4 : end])
        place = end
    return sound


def steps(content: bytes, shape: tuple[int, int]) -> dict[str, Callable[[], object]]:
    """Name -> what is timed on one film."""
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    return {
        "decode, OpenCV": lambda: cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED),
        "decode, kornia-rs": lambda: kornia.decode_image_png_u8(content, shape, "mono"),
        "decode, Pillow": lambda: np.asarray(Image.open(io.BytesIO(content))),
        "checksums of chunks": lambda: checked(content),
        "shrink to 480": lambda: cv2.resize(pixels, (480, 480), interpolation=cv2.INTER_AREA),
        "shrink to 256": lambda: cv2.resize(pixels, (256, 256), interpolation=cv2.INTER_AREA),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--films", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    read = ((path.read_bytes()) for path in sorted(given.folder.glob("*.png")))
    films = [(content, shape) for content in read if (shape := shape_of(content)) is not None][: given.films]
    medians: dict[str, list[float]] = {}
    unequal = 0
    for content, shape in films:
        timed: dict[str, list[float]] = {}
        todo = steps(content, shape)
        one, other = todo["decode, OpenCV"](), todo["decode, kornia-rs"]()
        unequal += not np.array_equal(np.squeeze(np.asarray(other)), one)
        for _ in range(given.rounds):
            for name, step in todo.items():
                start = time.process_time()
                step()
                timed.setdefault(name, []).append(time.process_time() - start)
        for name, seconds in timed.items():
            medians.setdefault(name, []).append(statistics.median(seconds))
    versions = {name: metadata.version(name) for name in ("kornia-rs", "opencv-python-headless", "pillow")}
    told = {"films": len(films), "unequal": unequal, "rounds": given.rounds, "python": platform.python_version()}
    rows = [
        {"step": name, "milliseconds": round(1000 * statistics.median(each), 2)} | told | versions
        for name, each in medians.items()
    ]
    with (HERE / "results" / "png_decoding.csv").open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    for row in rows:
        print(row["step"], row["milliseconds"], "ms")
    print(f"{unequal} of {len(films)} films with unequal pixels")


if __name__ == "__main__":
    main()
