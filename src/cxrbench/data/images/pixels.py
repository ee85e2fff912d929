"""What every decoder shares: limits on a radiograph's size, and the way to eight bits."""

import numpy as np
from numpy.typing import NDArray

MIN_SIDE = 16
"""Pixels; a smaller picture is no radiograph."""

MAX_PIXELS = 2**26
"""8192 x 8192, four times the largest detectors: beyond it the header alone is refused, before memory is taken."""


class Unreadable(Exception):  # noqa: N818 - a reason, which the reader joins to the file's name
    """Why an image cannot be read."""


def check_size(height: int, width: int, *, frames: int = 1) -> None:
    """Refuse by its header what is no single radiograph.

    Raises:
        Unreadable: Several frames, too small, or too large.
    """
    if frames != 1:
        raise Unreadable(f"{frames} frames; a radiograph has one")
    if min(height, width) < MIN_SIDE:
        raise Unreadable(f"{width} x {height} pixels are too few for a radiograph (at least {MIN_SIDE} a side)")
    if height * width > MAX_PIXELS:
        raise Unreadable(f"{width} x {height} pixels are too many (at most {MAX_PIXELS:,})")


def stretch(values: NDArray[np.floating], *, low: float, high: float) -> NDArray[np.uint8]:
    """Map ``low`` to 0 and ``high`` to 255, linearly, and clip; all is 0 when they are equal."""
    scaled = (values - low) * (255 / (high - low)) if high > low else np.zeros_like(values)
    return np.asarray(np.rint(np.clip(scaled, 0, 255)), dtype=np.uint8)
