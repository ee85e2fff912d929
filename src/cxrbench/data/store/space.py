"""Room on the disk: asked for before anything is decoded, and said in words when it runs out."""

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from cxrbench.data.decoding import pixel_file
from cxrbench.errors import DataError
from cxrbench.files import partial_of, write_json

PLAN_FILE = "plan.json"
PER_IMAGE = 1024
"""Bytes for an image's entry in index and marks, at most."""


def allocate(scratch: Path, sizes: tuple[int, ...], images: int, *, identity: dict[str, object]) -> None:
    """Make room for the pixel files, or find that unfinished work of the same identity has it already.

    Raises:
        DataError: Too little room, or ``scratch`` holds unfinished work of another identity.
        OSError: It cannot be written.
    """
    if (scratch / PLAN_FILE).exists():
        _check_resumable(scratch, identity)
        return
    shutil.rmtree(scratch, ignore_errors=True)
    _check_space(scratch, sum(size * size for size in sizes) * images + PER_IMAGE * images)
    scratch.mkdir(parents=True)
    try:
        for size in sizes:
            _reserve(pixel_file(scratch, size), (images, size, size))
        write_json(scratch / PLAN_FILE, identity)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _check_resumable(scratch: Path, identity: dict[str, object]) -> None:
    """Refuse unfinished work of another store."""
    try:
        begun = json.loads((scratch / PLAN_FILE).read_text(encoding="utf-8"))
    except ValueError:
        begun = None
    if begun != identity:
        raise DataError(
            f"{scratch} is the unfinished store of other images or sizes; delete it, or choose another folder"
        )


def _check_space(scratch: Path, needed: int) -> None:
    """Refuse to begin what the disk cannot hold."""
    parent = next(folder for folder in scratch.absolute().parents if folder.exists())
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise DataError(
            f"not enough room under {parent}: the store needs {needed:,} bytes, {free:,} are free; "
            "free some, or put the store on another disk"
        )


def _reserve(path: Path, shape: tuple[int, int, int]) -> None:
    """Create a .npy file of zeros whose room is taken on the disk, where the system can do that."""
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        length = stream.tell() + int(np.prod(shape))
        stream.flush()
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(stream.fileno(), 0, length)
        else:
            stream.truncate(length)


@contextmanager
def reporting_disk(folder: Path) -> Iterator[None]:
    """Turn what the system says about writing into one line.

    Raises:
        DataError: The disk is full, or the folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            resumable = "; what is done is kept" if partial_of(folder).exists() else ""
            raise DataError(
                f"the disk is full: cannot write {folder}; free some room and run it again{resumable}"
            ) from None
        raise DataError(f"cannot write {folder}: {error.strerror or error}") from None
