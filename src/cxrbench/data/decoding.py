"""What a decoding process does: one chunk of images -> rows of the pixel files; and the mark that they are done.

Imports little, as every process pays for it.
"""

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cxrbench.data.geometry import pad_to_square, resize_square
from cxrbench.data.images import load_grey
from cxrbench.data.images.pixels import Unreadable
from cxrbench.environment import keep_memory_mapped
from cxrbench.files import write_json

MARKS = "done-*.json"
"""Files that say which rows are done."""


@dataclass(frozen=True)
class Chunk:
    """Images that are decoded together: consecutive rows of the store, from ``first_row``.

    ``digest`` identifies the files: a mark that was left for others does not count.
    """

    first_row: int
    folder: Path
    paths: tuple[str, ...]
    digest: str

    def mark(self, scratch: Path) -> Path:
        """The file that says that this chunk is done."""
        return scratch / MARKS.replace("*", f"{self.first_row:07}")


@dataclass(frozen=True)
class Outcome:
    """What became of one image: its size in the file, or why it cannot be read."""

    height: int
    width: int
    reason: str | None = None


def pixel_file(folder: Path, size: int) -> Path:
    """Where a store keeps the images of one size."""
    return folder / f"pixels-{size}.npy"


def decode_chunk(chunk: Chunk, scratch: Path, sizes: tuple[int, ...]) -> list[Outcome]:
    """Decode each image once, shrink it to all sizes, and write the rows, which the disk may get later.

    Returns:
        What became of each image.

    Raises:
        OSError: The rows cannot be written.
    """
    blocks = {size: np.zeros((len(chunk.paths), size, size), np.uint8) for size in sizes}
    outcomes = []
    for i, path in enumerate(chunk.paths):
        try:
            image = load_grey(chunk.folder / path)
        except Unreadable as problem:
            outcomes.append(Outcome(0, 0, str(problem)))
            continue
        square = pad_to_square(image)
        for size, block in blocks.items():
            block[i] = resize_square(square, size)
        outcomes.append(Outcome(*image.shape))
    for size, block in blocks.items():
        _write_rows(pixel_file(scratch, size), chunk.first_row, block)
    return outcomes


def write_mark(chunk: Chunk, outcomes: Sequence[Outcome], scratch: Path) -> None:
    """Say that a chunk is done.

    Raises:
        OSError: The mark cannot be written.
    """
    write_json(chunk.mark(scratch), {"digest": chunk.digest, "outcomes": [astuple(outcome) for outcome in outcomes]})


def read_outcomes(chunk: Chunk, scratch: Path) -> list[Outcome] | None:
    """What became of a chunk's images; None when it is not done, or was done with other files."""
    try:
        mark = json.loads(chunk.mark(scratch).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return [Outcome(*outcome) for outcome in mark["outcomes"]] if mark["digest"] == chunk.digest else None


def _write_rows(path: Path, first: int, block: NDArray[np.uint8]) -> None:
    """Write rows where they belong.

    Not through a memory map: on a full disk that ends the process instead of raising an error.
    """
    with path.open("r+b") as stream:
        np.lib.format.read_magic(stream)
        np.lib.format.read_array_header_1_0(stream)
        stream.seek(first * block[0].nbytes, os.SEEK_CUR)
        stream.write(block.data)


def start_worker() -> None:
    """Prepare a decoding process: one thread, deaf to Ctrl-C (its parent reacts), gone when its parent is."""
    cv2.setNumThreads(1)
    keep_memory_mapped()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=follow_parent, daemon=True).start()


def follow_parent() -> None:
    """End this process when the parent was killed: it would wait for work forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
