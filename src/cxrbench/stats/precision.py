"""Area under the precision-recall curve, as average precision, and its patient bootstrap."""

import numpy as np
from numpy.typing import ArrayLike

from cxrbench.stats.bootstrap import Numbers, Resamples
from cxrbench.stats.roc import Truth, checked
from cxrbench.stats.sorting import Floats, ascending, group_starts

CHUNK = 100
"""Replicates computed at a time."""


def average_precision(scores: ArrayLike, present: ArrayLike) -> float:
    """Mean precision over the positives, each at its own score as threshold; the prevalence for random scores.

    Args:
        scores: (N,) in any unit; higher means more likely present.
        present: (N,) truth, 0/1 or Boolean.

    Raises:
        ValueError: As for ``roc.auc``.

    Source: doi:10.1145/1143844.1143874.
    """
    values, truth = checked(scores, present)
    return float(_weighted(values, truth, np.ones((len(values), 1)))[0])


def average_precision_replicates(scores: ArrayLike, present: ArrayLike, resamples: Resamples) -> Numbers:
    """Average precision of one column in every replicate, (B,); NaN where no positive was drawn.

    Args:
        scores: (N,) as for ``average_precision``.
        present: (N,) truth.
        resamples: Of the same N images.
    """
    values, truth = checked(scores, present)
    drawn, code = resamples.multiplicities, resamples.code
    return np.concatenate([
        _weighted(values, truth, drawn[:, at : at + CHUNK].astype(np.float64)[code])
        for at in range(0, resamples.replicates, CHUNK)
    ])  # fmt: skip


def _weighted(scores: Floats, present: Truth, weights: Numbers) -> Numbers:
    """Average precision (C,) when image i counts ``weights[i]`` times, (N, C)."""
    order = ascending(scores)[::-1]
    starts = group_starts(scores[order])
    ordered = weights[order]
    hits = np.add.reduceat(ordered * present[order, None], starts, axis=0)  # (G, C) per distinct score
    flagged = np.cumsum(np.add.reduceat(ordered, starts, axis=0), axis=0)
    precision = np.divide(np.cumsum(hits, axis=0), flagged, out=np.zeros_like(flagged), where=flagged > 0)
    positives = hits.sum(axis=0)
    return np.asarray((hits * precision).sum(axis=0) / np.where(positives > 0, positives, np.nan))
