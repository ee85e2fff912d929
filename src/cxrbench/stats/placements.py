"""Placements: how each image of one class stands among the images of the other.

The AUC is the mean placement of the positives, and equally of the negatives; every standard error of an AUC
follows from how placements vary between patients.

Source: doi:10.2307/2531595; by one sort per column: doi:10.1109/LSP.2014.2337313.
"""

import numpy as np
from numpy.typing import NDArray

from cxrbench.stats.roc import Truth
from cxrbench.stats.sorting import Floats, ascending, group_starts

Numbers = NDArray[np.float64]


def placements(scores: Floats, present: Truth) -> Numbers:
    """Share of the other class that each image (N,) beats, ties counting one half.

    For a positive it is the share of negatives that score lower, for a negative the share of positives that score
    higher. Both classes must be present.
    """
    order = ascending(scores)
    ordered = present[order]
    starts = group_starts(scores[order])
    sizes = np.diff(starts, append=len(scores))
    positives = np.add.reduceat(ordered, starts, dtype=np.intp)
    negatives = sizes - positives
    below = (np.cumsum(negatives) - negatives / 2) / negatives.sum()
    above = 1 - (np.cumsum(positives) - positives / 2) / positives.sum()
    shares = np.empty(len(scores))
    shares[order] = np.where(ordered, np.repeat(below, sizes), np.repeat(above, sizes))
    return shares
