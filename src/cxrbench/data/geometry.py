"""The one definition of how a film becomes a small square; whoever shows or inverts it starts here."""

import cv2
import numpy as np
from numpy.typing import NDArray

DEFINITION = "zero-padded to a centred square; cv2.INTER_AREA to shrink, cv2.INTER_LINEAR to enlarge; version 1"
"""Part of a store's identity: change the words whenever the pixels change."""


def pad_to_square(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Zero-pad a (H, W) image to (S, S), S the longer side; an odd row or column goes to the end, a square is kept."""
    height, width = image.shape
    if height == width:
        return image
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    return np.pad(image, ((top, side - height - top), (left, side - width - left)))


def resize_square(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize a square image to (``size``, ``size``): area averaging to shrink, bilinear to enlarge."""
    filter_ = cv2.INTER_AREA if len(image) > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (size, size), interpolation=filter_), dtype=np.uint8)
