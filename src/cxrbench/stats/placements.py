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
    ordered = present.take(order)
    edges = np.append(group_starts(scores.take(order)), len(scores))
    up_to = np.concatenate([[0], np.cumsum(ordered)])[edges]  # positives before each group of tied scores
    positives = (up_to[:-1] + up_to[1:]) / 2
    negatives = (edges[:-1] + edges[1:]) / 2 - positives
    below, above = negatives / (edges[-1] - up_to[-1]), 1 - positives / up_to[-1]
    if len(below) < len(order):
        below, above = (np.repeat(share, np.diff(edges)) for share in (below, above))
    shares = np.empty(len(scores))
    shares[order] = np.where(ordered, below, above)
    return shares
