"""TIFF -> a grey image, through Pillow: 8 and 16 bits and floating point, one page.

Source: TIFF 6.0 Specification, Adobe 1992, section 8 (PhotometricInterpretation).
"""

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL.TiffImagePlugin import PHOTOMETRIC_INTERPRETATION, TiffImageFile

from cxrbench.data.images.pixels import Unreadable, check_size, stretch

STARTS = (b"II\x2a\x00", b"MM\x00\x2a", b"II\x2b\x00", b"MM\x00\x2b")
WHITE_IS_ZERO = 0
DEEP = ("I", "F")
"""Pillow's modes of more than eight bits begin so; those of colours are eight bits each by then."""

# What Pillow raises for a file that is cut short, damaged, or compressed in a way it does not read.
PROBLEMS = (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, OverflowError, RuntimeError)


def decode_tiff(content: bytes) -> NDArray[np.uint8]:
    """Decode any colour model; colours become Rec. 601 luma, an alpha channel is dropped.

    More than eight bits are stretched linearly from the darkest to the brightest pixel, as in 16-bit PNGs.

    Returns:
        (H, W) uint8, 0 black.

    Raises:
        Unreadable: Several pages, cut short, damaged, too small or too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about tags that do not matter here
            picture = TiffImageFile(io.BytesIO(content))
            check_size(picture.height, picture.width, frames=picture.n_frames)
            return _grey(picture)
    except PROBLEMS as error:
        raise Unreadable(f"truncated or corrupt TIFF: {' '.join(str(error).split())}") from None


def _grey(picture: TiffImageFile) -> NDArray[np.uint8]:
    if not picture.mode.startswith(DEEP):  # Pillow has turned white-is-zero round already
        return np.array(picture.convert("L"), dtype=np.uint8)
    values = np.asarray(picture, dtype=np.float64)
    if not np.isfinite(values).all():
        raise Unreadable("a TIFF with pixels that are no finite numbers")
    grey = stretch(values, low=float(values.min()), high=float(values.max()))
    is_inverted = picture.tag_v2.get(PHOTOMETRIC_INTERPRETATION) == WHITE_IS_ZERO
    return 255 - grey if is_inverted else grey
