"""One order of the scores, from which every rank statistic is read."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Indices = NDArray[np.intp]


def ascending(scores: Floats) -> Indices:
    """Rows (N,) of ``scores`` from lowest to highest; equal scores keep their order.

    Float32 is sorted as two 16-bit keys: NumPy sorts those by radix, several times faster than it compares floats.
    Float64 is sorted as if it were float32 first; what that leaves equal, seldom much, is sorted once more.

    Raises:
        ValueError: A score is NaN.
    """
    sort = {np.dtype(np.float32): _by_bits, np.dtype(np.float64): _by_halves}.get(scores.dtype, _by_comparing)
    order = sort(scores)
    # Not-a-numbers sort to the ends, whatever their sign.
    if len(order) and np.isnan(scores[order[[0, -1]]]).any():
        raise ValueError(f"scores must be numbers; row {int(np.flatnonzero(np.isnan(scores))[0])} is NaN")
    return order


def _by_comparing(scores: Floats) -> Indices:
    """Rows in ascending order, by NumPy's own sort."""
    return np.argsort(scores, kind="stable")


def _by_halves(scores: Floats) -> Indices:
    """Rows of the float64 scores in ascending order; rounding to float32 never turns two of them round."""
    with np.errstate(over="ignore", under="ignore"):
        rounded = scores.astype(np.float32)
    order = _by_bits(rounded)
    ordered = scores.take(order)
    if (ordered[1:] >= ordered[:-1]).all():
        return order
    coarse = rounded.take(order)
    same = coarse[1:] == coarse[:-1]
    is_shared = np.append(same, False)
    is_shared[1:] |= same
    places = np.flatnonzero(is_shared)
    if 4 * len(places) > len(scores) or np.isnan(coarse[[0, -1]]).any():
        return _by_comparing(scores)
    order[places] = order[places[np.lexsort((ordered[places], coarse[places]))]]
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
