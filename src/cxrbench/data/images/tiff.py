"""TIFF -> a grey image, through Pillow: 8 and 16 bits and floating point, one page.

Source: TIFF 6.0 Specification, Adobe 1992, sections 2 (directories) and 8 (PhotometricInterpretation).
"""

import io
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL.TiffImagePlugin import PHOTOMETRIC_INTERPRETATION, TiffImageFile

from cxrbench.data.images.pixels import Unreadable, check_size, failures_of, stretch

BIG = 43
"""Version of a BigTIFF, whose offsets have eight bytes; 42 is the other."""
LONGEST_CHAIN = 100
"""Directories that are followed, one a page, to say how many there are."""
WHITE_IS_ZERO = 0
DEEP = ("I", "F")
"""Pillow's modes of more than eight bits begin so; those of colours are eight bits each by then."""


def decode_tiff(content: bytes) -> NDArray[np.uint8]:
    """Decode any colour model, turned as its orientation says; colours become Rec. 601 luma, alpha is dropped.

    More than eight bits are stretched linearly from the darkest to the brightest pixel, as in 16-bit PNGs.

    Returns:
        (H, W) uint8, 0 black.

    Raises:
        Unreadable: Several pages, cut short, damaged, too small or too large.
    """
    pages = count_pages(content)
    with failures_of("truncated or corrupt TIFF"):
        picture = TiffImageFile(io.BytesIO(content))
        check_size(picture.height, picture.width, frames=pages)
        return _grey(picture)


def count_pages(content: bytes) -> int:
    """Return the number of directories, at most ``LONGEST_CHAIN``; one that is met again ends their chain."""
    order: Literal["little", "big"] = "little" if content.startswith(b"II") else "big"
    is_big = int.from_bytes(content[2:4], order) == BIG

    def number(start: int, length: int) -> int:
        return int.from_bytes(content[start : start + length], order)

    offset_bytes, count_bytes, entry_bytes = (8, 8, 20) if is_big else (4, 2, 12)
    place = number(8 if is_big else 4, offset_bytes)
    met: set[int] = set()
    while place and place not in met and place < len(content) and len(met) < LONGEST_CHAIN:
        met.add(place)
        after = place + count_bytes + entry_bytes * number(place, count_bytes)
        place = number(after, offset_bytes)
    return max(1, len(met))


def _grey(picture: TiffImageFile) -> NDArray[np.uint8]:
    if not picture.mode.startswith(DEEP):  # Pillow has turned white-is-zero round already
        return np.array(picture.convert("L"), dtype=np.uint8)
    values = np.asarray(picture, dtype=np.float64)
    if not np.isfinite(values).all():
        raise Unreadable("a TIFF with pixels that are no finite numbers")
    grey = stretch(values, low=float(values.min()), high=float(values.max()))
    is_inverted = picture.tag_v2.get(PHOTOMETRIC_INTERPRETATION) == WHITE_IS_ZERO
    return 255 - grey if is_inverted else grey
