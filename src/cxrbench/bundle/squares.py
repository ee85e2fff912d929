"""A film -> the squares that a study's store keeps; imports little, as decoding processes pay for it."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from cxrbench.data.geometry import pad_to_square, resize_square

Squares = Mapping[int, NDArray[np.uint8]]
"""Store size -> (S, S) film."""


def shrink(pixels: NDArray[np.uint8], sizes: Iterable[int]) -> dict[int, NDArray[np.uint8]]:
    """A film (H, W) as the store keeps it: padded to a square, at each size."""
    square = pad_to_square(pixels)
    return {size: resize_square(square, size) for size in sizes}
