"""AUCs of all bootstrap replicates at once.

A replicate's AUC counts (positive, negative) pairs weighted by how often their patients were drawn. In the order of
the scores the images form runs of negatives followed by positives. Weights are summed per run by a sparse product, then
over runs from the lowest score upwards, for many replicates at a time. All sums are integers, so the result is exact;
long runs are cut so that those of the product fit into 8 bits, of which a processor adds the most at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from cxrbench.stats.bootstrap import Multiplicities, Numbers, Resamples, sum_replicates
from cxrbench.stats.joint import checked_columns
from cxrbench.stats.roc import Truth
from cxrbench.stats.sorting import Floats, ascending, group_starts

BLOCK = 64
"""Runs summed at a time; so many rows of one chunk stay in the processor's cache."""
CHUNK = 2000
"""Replicates computed at a time."""
CUT = 240
"""Images, each counted as often as any replicate drew it, after which a run is cut."""


@dataclass(frozen=True)
class _Runs:
    """Runs of one column in ascending order of the scores, as sparse sums over patients.

    Attributes:
        negative: (G, P) negative images of each patient in each run.
        positive: (G, P) positive images: they score higher than the negatives of their own and of all lower runs.
        tied: Runs that are one score shared by both classes: their own pairs count one half.
    """

    negative: sparse.csr_array
    positive: sparse.csr_array
    tied: NDArray[np.intp]


def auc_replicates(scores: ArrayLike, present: ArrayLike, resamples: Resamples) -> Numbers:
    """AUC of every column in every replicate, (B, K); NaN where a class was not drawn.

    Args:
        scores: (N, K) one column per model and finding; column k is scored against label ``k % L``.
        present: (N, L) truth: 0, 1, or NaN where the label is not stated.
        resamples: Of the same N images.

    Raises:
        ValueError: Shapes do not fit, a score is NaN, or a label is neither 0, 1 nor NaN.
    """
    values, truth = checked_columns(scores, present)
    columns, heaviest = np.ascontiguousarray(values.T), resamples.multiplicities.max(axis=1)
    chunks = [np.ascontiguousarray(part) for part in _chunks(resamples.multiplicities)]
    aucs = np.full((resamples.replicates, len(columns)), np.nan)
    drawn = sum_replicates(truth == 1, resamples), sum_replicates(truth == 0, resamples)
    pairs = drawn[0] * drawn[1]  # (B, L)
    for label, of_label in enumerate(truth.T):
        stated = np.flatnonzero(~np.isnan(of_label))
        present_rows, code, most = of_label[stated] == 1, resamples.code[stated], pairs[:, label].max()
        if not most:
            continue
        for k in range(label, len(columns), truth.shape[1]):
            runs = _runs(columns[k].take(stated), present_rows, code, heaviest)
            doubled = np.concatenate([_doubled_wins(runs, chunk, most) for chunk in chunks])
            aucs[:, k] = doubled / np.where(pairs[:, label] > 0, 2 * pairs[:, label], np.nan)
    return aucs


def _chunks(multiplicities: Multiplicities) -> Iterator[Multiplicities]:
    """Replicates in portions."""
    for start in range(0, multiplicities.shape[1], CHUNK):
        yield multiplicities[:, start : start + CHUNK]


def _runs(scores: Floats, present: Truth, code: NDArray[np.intp], heaviest: Multiplicities) -> _Runs:
    """Cut one column into runs: one ends where negatives follow positives; a tied score is a run of its own."""
    order = ascending(scores)
    ordered, starts = present.take(order), group_starts(scores.take(order))
    sizes = np.diff(starts, append=len(scores))
    positives = np.add.reduceat(ordered, starts, dtype=np.intp)
    has_positive, has_negative = positives > 0, positives < sizes
    is_tied = has_positive & has_negative
    patient = code.take(order).astype(np.int32)
    begins = np.diff(heaviest.take(patient).cumsum(dtype=np.uint32) // CUT, prepend=0) > 0
    begins &= ~np.repeat(is_tied, sizes)
    begins[starts[1:][is_tied[1:] | is_tied[:-1] | (has_negative[1:] & has_positive[:-1])]] = True
    run = begins.cumsum()
    return _Runs(
        _by_run(run[~ordered], patient[~ordered], run[-1] + 1, heaviest),
        _by_run(run[ordered], patient[ordered], run[-1] + 1, heaviest),
        run[starts[is_tied]],
    )


def _by_run(run: NDArray[np.intp], patient: NDArray[np.int32], rows: int, heaviest: Multiplicities) -> sparse.csr_array:
    """Count images per run and patient: (rows, P), in the smallest integers that hold the sums of any replicate."""
    most = np.bincount(run, weights=heaviest[patient], minlength=1).max()
    ones = np.ones(len(run), np.min_scalar_type(int(most)))
    ends = np.searchsorted(run, np.arange(rows + 1)).astype(np.int32)
    return sparse.csr_array((ones, patient, ends), shape=(rows, len(heaviest)))  # type: ignore[no-untyped-call]


def _doubled_wins(runs: _Runs, drawn: Multiplicities, most: float) -> Numbers:
    """Twice the pairs in the right order, ties one half, in each of C replicates; ``most`` bounds the pairs."""
    negatives, positives = runs.negative @ drawn, runs.positive @ drawn  # (G, C)
    exact = np.uint32 if most < 2**32 else np.uint64
    wins, before = np.zeros((2, drawn.shape[1]), exact)
    for at in range(0, len(negatives), BLOCK):
        below = negatives[at : at + BLOCK].astype(exact)
        below[0] += before
        # Row by row: NumPy's own running sum along this axis is several times slower.
        for lower, row in pairwise(below):
            np.add(lower, row, out=row)
        before = below[-1]
        wins += np.einsum("gc,gc->c", below, positives[at : at + BLOCK].astype(exact))
    halves = np.einsum("gc,gc->c", negatives[runs.tied].astype(exact), positives[runs.tied].astype(exact))
    return np.asarray(2.0 * wins - halves)
