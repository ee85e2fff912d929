"""One chunk of images -> rows of a store's pixel files, and the mark that they are done.

Imports little, as every process pays for it.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxrbench.data.geometry import Squares, shrink
from cxrbench.data.images import load_grey
from cxrbench.data.images.pixels import Unreadable
from cxrbench.data.sandbox import within
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

    @property
    def singly(self) -> "list[Chunk]":
        """Each of its images as a chunk, which leaves no mark."""
        return [replace(self, first_row=self.first_row + i, paths=(path,)) for i, path in enumerate(self.paths)]

    def mark(self, scratch: Path) -> Path:
        """Return the file that says that this chunk is done."""
        return scratch / MARKS.replace("*", f"{self.first_row:07}")


@dataclass(frozen=True)
class Outcome:
    """Size of one image in its file, or why it cannot be read."""

    height: int
    width: int
    reason: str | None = None


def pixel_file(folder: Path, size: int) -> Path:
    """Return where a store keeps the images of one size."""
    return folder / f"pixels-{size}.npy"


def decode_chunk(chunk: Chunk, scratch: Path, sizes: tuple[int, ...], *, seconds: int | None = None) -> list[Outcome]:
    """Decode each image once, shrink it to all sizes, and write the rows, which the disk may get later.

    Args:
        chunk: Images to decode.
        scratch: Folder of the pixel files.
        sizes: Sides of the squares, pixels.
        seconds: An image that takes longer ends this process; None: it takes as long as it takes.

    Returns:
        Outcome of each image.

    Raises:
        OSError: The rows cannot be written.
    """
    blocks = {size: np.zeros((len(chunk.paths), size, size), np.uint8) for size in sizes}
    outcomes = []
    for i, path in enumerate(chunk.paths):
        given = chunk.folder / path, sizes
        outcome, squares = within(seconds, _decode, *given) if seconds else _decode(*given)
        outcomes.append(outcome)
        for size, square in squares.items():
            blocks[size][i] = square
    for size, block in blocks.items():
        _write_rows(pixel_file(scratch, size), chunk.first_row, block)
    return outcomes


def _decode(path: Path, sizes: tuple[int, ...]) -> tuple[Outcome, Squares]:
    """Decode and shrink one image; no squares where it cannot be read."""
    try:
        image = load_grey(path)
        return Outcome(*image.shape), shrink(image, sizes)
    except Unreadable as problem:
        return Outcome(0, 0, str(problem)), {}
    except MemoryError:
        return Outcome(0, 0, "reading it needs more memory than a film may take"), {}


def write_mark(chunk: Chunk, outcomes: Sequence[Outcome], scratch: Path) -> None:
    """Say that a chunk is done.

    Raises:
        OSError: The mark cannot be written.
    """
    write_json(chunk.mark(scratch), {"digest": chunk.digest, "outcomes": [astuple(outcome) for outcome in outcomes]})


def read_outcomes(chunk: Chunk, scratch: Path) -> list[Outcome] | None:
    """Return the outcomes of a chunk's images; None when it is not done, or was done with other files."""
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
