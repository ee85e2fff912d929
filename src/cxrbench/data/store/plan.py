"""Everything before a single image is decoded: what a store is made from, and the room that it takes on the disk.

Unfinished work lies in a folder of its own: one process at a time, resumable.
"""

import errno
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
import polars as pl

from cxrbench.data.decoding import MARKS, Chunk, pixel_file
from cxrbench.data.geometry import DEFINITION
from cxrbench.data.tables import Archive, present
from cxrbench.errors import DataError
from cxrbench.files import digest_json, digest_rows, write_json

CHUNK = 32
"""Images decoded together: about half a second of work, which is what a killed process loses."""
PLAN_FILE = "plan.json"
PER_IMAGE = 1024
"""Bytes that an image takes in the index and the marks, at most."""


@dataclass(frozen=True)
class Plan:
    """Images in the order of the store's rows, and sizes.

    Attributes:
        folder: Where the archive lies.
        images: ``image_id``, ``path`` and ``bytes``, sorted by ``image_id``.
        sizes: Sides of the squares, pixels, ascending.
    """

    folder: Path
    images: pl.DataFrame
    sizes: tuple[int, ...]

    @cached_property
    def source(self) -> str:
        """Digest of the images: ids, paths and file sizes."""
        return digest_rows(self.images.iter_rows())

    @property
    def chunks(self) -> list[Chunk]:
        """The images in portions."""
        return [self._chunk(start) for start in range(0, self.images.height, CHUNK)]

    def _chunk(self, start: int) -> Chunk:
        rows = self.images[start : start + CHUNK]
        return Chunk(start, self.folder, tuple(rows["path"]), digest_json(rows.rows()))

    @property
    def identity(self) -> dict[str, object]:
        """What unfinished work must agree on to be gone on with; single files may be replaced meanwhile."""
        ids = digest_rows(self.images["image_id"])
        return {"definition": DEFINITION, "sizes": list(self.sizes), "images": self.images.height, "ids": ids}


def plan_store(archive: Archive, sizes: Sequence[int]) -> Plan:
    """Plan the store of an archive's images that are at hand."""
    if not sizes or min(sizes) < 1:
        raise ValueError(f"sizes must be positive; got {tuple(sizes)}")
    images = present(archive).select("image_id", "path").sort("image_id")
    lengths = [_length(archive.folder / path) for path in images["path"]]
    sized = images.with_columns(pl.Series("bytes", lengths, dtype=pl.Int64))
    return Plan(archive.folder, sized, tuple(sorted(set(sizes))))


def _length(path: Path) -> int:
    """Bytes of a file; -1 when it cannot be looked at, which decoding will report."""
    try:
        return path.stat().st_size
    except OSError:
        return -1


def make_room(scratch: Path, plan: Plan) -> None:
    """Take the room of the pixel files, or find that unfinished work of the same plan has it already.

    Raises:
        DataError: Too little room, or the unfinished work is that of another plan; nothing is left behind.
        OSError: The folder cannot be written.
    """
    if (begun := _begun(scratch)) is not None:
        _check_same(begun, plan, scratch)
        return
    try:
        _check_space(scratch, plan)
        for size in plan.sizes:
            _reserve(pixel_file(scratch, size), (plan.images.height, size, size))
        write_json(scratch / PLAN_FILE, plan.identity)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _begun(scratch: Path) -> dict[str, Any] | None:
    """The identity of the unfinished work in the folder; None when there is none worth going on with."""
    try:
        identity: dict[str, Any] = json.loads((scratch / PLAN_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return identity


def _check_same(begun: dict[str, Any], plan: Plan, scratch: Path) -> None:
    """Refuse the unfinished work of another plan."""
    if begun != plan.identity:
        raise DataError(
            f"{scratch} is the unfinished store of other images or sizes ({begun['images']:,} images at "
            f"{begun['sizes']}, now {plan.images.height:,} at {list(plan.sizes)}); delete it, or choose another folder"
        )


def _check_space(scratch: Path, plan: Plan) -> None:
    """Refuse to begin what the disk cannot hold."""
    needed = plan.images.height * (sum(size * size for size in plan.sizes) + PER_IMAGE)
    free = shutil.disk_usage(scratch).free
    if free < needed:
        raise DataError(
            f"the disk of {scratch.parent} is too full: the store needs {needed:,} bytes, {free:,} are free; "
            "free some, or put the store on another disk"
        )


def _reserve(path: Path, shape: tuple[int, int, int]) -> None:
    """Create a .npy file of zeros that has its room on the disk already."""
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
        stream.truncate(stream.tell() + int(np.prod(shape)))
        _take_room(stream)


def _take_room(stream: IO[bytes]) -> None:
    """Ask for the blocks of a file that is all hole; not every system and file system can do that."""
    try:
        os.posix_fallocate(stream.fileno(), 0, os.fstat(stream.fileno()).st_size)
    except AttributeError:
        return
    except OSError as error:
        if error.errno not in {errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}:
            raise


def clear_marks(folder: Path) -> None:
    """Take away what only unfinished work needs."""
    for leftover in (*folder.glob(MARKS), folder / PLAN_FILE):
        leftover.unlink(missing_ok=True)


@contextmanager
def reporting_disk(folder: Path) -> Iterator[None]:
    """Put what the system says about writing into one line.

    Raises:
        DataError: The disk is full, or the folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DataError(f"cannot write {folder}: the disk is full; free some room and run it again") from None
        raise DataError(f"cannot write {folder}: {error.strerror or error}") from None
