"""A film -> what a member's network sees; the same code as the study's store and batches."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from cxrbench.bundle.record import Member
from cxrbench.data.augment import centre_affine, warp
from cxrbench.data.geometry import pad_to_square, resize_square

Squares = Mapping[int, NDArray[np.uint8]]
"""Store size -> (S, S) film."""


def shrink(pixels: NDArray[np.uint8], sizes: Iterable[int]) -> dict[int, NDArray[np.uint8]]:
    """A film (H, W) as the store keeps it: padded to a square, at each size."""
    square = pad_to_square(pixels)
    return {size: resize_square(square, size) for size in sizes}


def network_input(squares: NDArray[np.uint8], member: Member) -> NDArray[np.float32]:
    """Films (B, S, S) of the member's store size -> its centre crops (B, 1, H, W), grey values in 0..1."""
    size = member.approach.input.image_size
    return np.asarray(warp(squares, centre_affine(source=squares.shape[1], size=size), size=size), dtype=np.float32)
