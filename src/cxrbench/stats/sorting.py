"""One order of the scores, from which every rank statistic is read."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Indices = NDArray[np.intp]


def ascending(scores: Floats) -> Indices:
    """Rows (N,) of ``scores`` from lowest to highest; equal scores keep their order.

    Float32 is sorted as two 16-bit keys: NumPy sorts those by radix, several times faster than it compares floats.

    Raises:
        ValueError: A score is NaN.
    """
    order = _by_bits(scores) if scores.dtype == np.float32 else np.argsort(scores, kind="stable")
    # Not-a-numbers sort to the ends, whatever their sign.
    if len(order) and np.isnan(scores[order[[0, -1]]]).any():
        raise ValueError(f"scores must be numbers; row {int(np.flatnonzero(np.isnan(scores))[0])} is NaN")
    return order


def _by_bits(scores: Floats) -> Indices:
    """Rows of the float32 scores in ascending order."""
    key = _ordered_bits(scores)
    return np.lexsort((key.astype(np.uint16), (key >> 16).astype(np.uint16)))


def _ordered_bits(scores: Floats) -> NDArray[np.uint32]:
    """Unsigned integers in the order of the float32 scores."""
    bits = np.ascontiguousarray(scores).view(np.int32)
    # Negative floats order backwards: all their bits flip; of the others only the sign bit.
    flips = bits >> 31
    flips |= np.int32(-(2**31))
    flips ^= bits
    return flips.view(np.uint32)


def group_starts(ordered: Floats) -> Indices:
    """Positions (G,) at which a new value begins in ``ordered`` (N,); ties share a group."""
    return np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))


def midranks(scores: Floats) -> NDArray[np.float64]:
    """Ranks (N,) from 1; tied scores share the mean of their ranks."""
    order = ascending(scores)
    starts = group_starts(scores[order])
    sizes = np.diff(starts, append=len(scores))
    ranks = np.empty(len(scores))
    ranks[order] = np.repeat(starts + (sizes + 1) / 2, sizes)
    return ranks
