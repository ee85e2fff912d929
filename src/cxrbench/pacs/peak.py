"""Where a heat map is hottest, as a box."""

import cv2
import numpy as np
from numpy.typing import NDArray

SHARE = 0.5
"""Of the map's maximum: what is hotter and touches the maximum is inside the box."""


def peak_box(heat: NDArray[np.floating]) -> tuple[int, int, int, int]:
    """Box ``x, y, width, height`` in pixels around the map's peak.

    Args:
        heat: (H, W), never negative.

    Raises:
        ValueError: The map is zero everywhere and has no peak.
    """
    highest = float(heat.max())
    if not highest > 0:
        raise ValueError("a map that is zero everywhere has no peak")
    is_hot = (heat >= SHARE * highest).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(is_hot, connectivity=8)
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    x, y, width, height, _ = stats[labels[row, column]]
    return int(x), int(y), int(width), int(height)
