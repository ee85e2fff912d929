"""Area under the precision-recall curve, as average precision, and its patient bootstrap."""

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from cxrbench.stats.bootstrap import Numbers, Resamples
from cxrbench.stats.roc import Truth, checked
from cxrbench.stats.sorting import Floats, Indices, ascending, group_starts

CHUNK = 32
"""Replicates computed at a time; so few stay in the processor's cache."""


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
    order = ascending(values)[::-1]
    last = np.append(group_starts(values[order])[1:], len(order)) - 1  # of each group of tied scores
    hits = np.cumsum(truth[order])[last]
    return float(np.diff(hits, prepend=0) @ (hits / (last + 1)) / hits[-1])


def average_precision_replicates(scores: ArrayLike, present: ArrayLike, resamples: Resamples) -> Numbers:
    """Average precision of one column in every replicate, (B,); NaN where no positive was drawn.

    Args:
        scores: (N,) as for ``average_precision``.
        present: (N,) truth.
        resamples: Of the same N images.
    """
    values, truth = checked(scores, present)
    images, positives = _by_threshold(values, truth, resamples)
    drawn = resamples.multiplicities
    return np.concatenate([
        _precision(images, positives, drawn[:, at : at + CHUNK].astype(np.float64))
        for at in range(0, resamples.replicates, CHUNK)
    ])  # fmt: skip


def _by_threshold(scores: Floats, present: Truth, resamples: Resamples) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Images, and positive images, of each patient (T, P) from one positive score down to the next, highest first."""
    order = ascending(scores)[::-1]
    starts = group_starts(scores[order])
    sizes = np.diff(starts, append=len(scores))
    has_positive = np.add.reduceat(present[order], starts, dtype=np.intp) > 0
    # A score belongs to the first threshold (a positive's score) at or below it; those below all have none.
    threshold: Indices = np.repeat(np.cumsum(has_positive) - has_positive, sizes)
    patient, is_counted = resamples.code[order], threshold < has_positive.sum()
    shape = (int(has_positive.sum()), len(resamples.multiplicities))
    images, positives = (
        sparse.csr_array((np.ones(rows.sum()), (threshold[rows], patient[rows])), shape=shape)  # type: ignore[no-untyped-call]
        for rows in (is_counted, is_counted & present[order])
    )
    return images, positives


def _precision(images: sparse.csr_array, positives: sparse.csr_array, drawn: Numbers) -> Numbers:
    """Average precision (C,) with each patient's images counted as often as drawn, (P, C)."""
    hits, flagged = positives @ drawn, np.cumsum(images @ drawn, axis=0)  # (T, C)
    precision = np.divide(np.cumsum(hits, axis=0), flagged, out=np.zeros_like(flagged), where=flagged > 0)
    found = hits.sum(axis=0)
    return np.asarray((hits * precision).sum(axis=0) / np.where(found > 0, found, np.nan))
