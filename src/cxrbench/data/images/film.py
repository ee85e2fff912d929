"""A film as it is handed on: grey values, and what its file says about patient and exposure.

Content decides how an image file is decoded; what cannot be read is refused with the reason.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxrbench.data.images.content import JPEG_START, PNG_START, TIFF_STARTS, is_dicom, read_content
from cxrbench.data.images.header import Facts, read_facts
from cxrbench.data.images.jpeg import decode_jpeg
from cxrbench.data.images.pixels import Unreadable
from cxrbench.data.images.png import decode_png
from cxrbench.data.images.tiff import decode_tiff
from cxrbench.errors import DataError

QUOTED = 16
"""Bytes of an unknown file's beginning that its refusal shows."""


@dataclass(frozen=True, kw_only=True)
class Film:
    """One film.

    Attributes:
        pixels: (H, W) uint8, 0 black.
        facts: Of the header; empty for PNG, JPEG and TIFF.
    """

    pixels: NDArray[np.uint8]
    facts: Facts = field(default_factory=Facts)


def read_film(path: Path) -> Film:
    """Read one image file with what its header says; its content decides what it is, not its name.

    Raises:
        DataError: The file and the reason.
    """
    try:
        return load_film(path)
    except Unreadable as problem:
        raise DataError(f"{path}: {problem}") from None


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Read one image file, without what its header says.

    Returns:
        (H, W) uint8, 0 black; see ``decode_png``, ``decode_jpeg``, ``decode_tiff`` and ``render_dicom`` for how it is
        made grey.

    Raises:
        DataError: The file and the reason.
    """
    try:
        return load_grey(path)
    except Unreadable as problem:
        raise DataError(f"{path}: {problem}") from None


def load_film(path: Path) -> Film:
    """Read one image file, as ``read_film`` does.

    Raises:
        Unreadable: The reason, without the file's name.
    """
    return decode_film(read_content(path))


def load_grey(path: Path) -> NDArray[np.uint8]:
    """Read one image file, as ``read_grey`` does.

    Raises:
        Unreadable: The reason, without the file's name.
    """
    return decode(read_content(path))


def decode_film(content: bytes) -> Film:
    """Return the film that the content of one image file holds.

    Raises:
        Unreadable: As ``decode``.
    """
    if not is_dicom(content):
        return Film(pixels=decode(content))
    from cxrbench.data.images import dicom  # noqa: PLC0415 - pydicom is slow to import

    with dicom.opened(content) as dataset:
        rendered, facts = dicom.render(dataset), read_facts(dataset)
    return Film(pixels=rendered.pixels, facts=replace(facts, warnings=facts.warnings + rendered.assumed))


def decode(content: bytes) -> NDArray[np.uint8]:
    """Decode the content of one image file.

    Returns:
        (H, W) uint8, 0 black.

    Raises:
        Unreadable: Empty, not an image, cut short, damaged, too small, too large, or several frames.
    """
    if content.startswith(PNG_START):
        return decode_png(content)
    if content.startswith(JPEG_START):
        return decode_jpeg(content)
    if content.startswith(TIFF_STARTS):
        return decode_tiff(content)
    if is_dicom(content):
        from cxrbench.data.images.dicom import render_dicom  # noqa: PLC0415 - pydicom is slow to import

        return render_dicom(content)
    raise Unreadable(_unknown(content))


def _unknown(content: bytes) -> str:
    """Return what to say of a file that is no image, with its beginning as far as it is text."""
    if not content:
        return "the file is empty"
    start = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in content[:QUOTED])
    return f'not a PNG, JPEG, TIFF or DICOM image: it starts with "{start}"'
