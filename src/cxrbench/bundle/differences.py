"""How far logits lie apart: one measure for the reference film and for exports."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Difference:
    """The largest difference of two arrays of logits.

    Attributes:
        largest: Relative where the expected logit is above 1; NaN where a logit is.
        row: Where it is.
        column: Where it is.
        found: The logit there.
        expected: What it should be.
    """

    largest: float
    row: int
    column: int
    found: float
    expected: float


def largest_difference(found: NDArray[np.floating], expected: NDArray[np.floating]) -> Difference:
    """The largest difference of logits (N, L), relative where the expected one is above 1.

    Raises:
        ValueError: Shapes differ.
    """
    if found.shape != expected.shape:
        raise ValueError(f"logits of shape {found.shape} cannot be compared with {expected.shape}")
    apart = np.abs(found - expected) / np.maximum(np.abs(expected), 1)
    row, column = np.unravel_index(np.argmax(np.where(np.isnan(apart), np.inf, apart)), apart.shape)
    place = int(row), int(column)
    return Difference(float(apart[place]), *place, float(found[place]), float(expected[place]))
