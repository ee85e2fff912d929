"""Contributions of images to measures of order: average precision, AUC and partial AUC."""

import numpy as np
from numpy.typing import NDArray

from cxrbench.stats.influence import Influence, Sample
from cxrbench.stats.sorting import ascending, group_starts

Numbers = NDArray[np.float64]
Indices = NDArray[np.intp]

FEW = 1000
"""With at most so many positive images, the bias of average precision is taken off."""

THRESHOLDS = 64
"""Scores at which all patients are left out at a time: so much stays in the processor's cache."""


def average_precision(sample: Sample) -> Influence:
    """Average precision: a positive adds its own precision, and every image moves that of all positives below it.

    Source: doi:10.1145/1143844.1143874.
    """
    order = ascending(sample.scores)[::-1]
    present = sample.present[order]
    starts = group_starts(sample.scores[order])
    sizes = np.diff(starts, append=len(order))
    positives = np.add.reduceat(present, starts, dtype=np.float64)
    hits, flagged = np.cumsum(positives), np.cumsum(sizes)
    precision, m = hits / flagged, hits[-1]
    value = float(positives @ precision / m)
    # From the lowest group up: what one more positive, or negative, at this score changes in the precisions below it.
    of_positive = np.cumsum((positives * (1 - precision) / flagged)[::-1])[::-1]
    of_negative = np.cumsum((positives * precision / flagged)[::-1])[::-1]
    images = np.empty(len(order))
    images[order] = np.where(
        present, np.repeat(precision - value + of_positive, sizes), -np.repeat(of_negative, sizes)
    ) / m  # fmt: skip
    # With many positives it has next to no bias, and leaving out each patient takes long.
    left_out = _precision_without_each(sample, order, starts) - value if m <= FEW else None
    return sample.moved(value, images, left_out)


def _precision_without_each(sample: Sample, order: Indices, starts: Indices) -> Numbers:
    """Average precision (P,) without each patient; zero where no positive image is left."""
    present, code = sample.present[order], sample.code[order]
    has_positive = np.add.reduceat(present, starts, dtype=np.intp) > 0
    # A score belongs to the first threshold (a positive's score) at or below it; those below all have none.
    threshold: Indices = np.repeat(np.cumsum(has_positive) - has_positive, np.diff(starts, append=len(order)))
    rows, patients = int(has_positive.sum()), int(code.max()) + 1
    flagged, hits, sums = np.zeros(patients), np.zeros(patients), np.zeros(patients)
    for at in range(0, rows, THRESHOLDS):
        number = min(THRESHOLDS, rows - at)
        first, last = np.searchsorted(threshold, [at, at + number])
        counts = [
            np.bincount((threshold[own] - at) * patients + code[own], minlength=number * patients).reshape(number, -1)
            for own in (np.arange(first, last), first + np.flatnonzero(present[first:last]))
        ]
        images, positives = (
            np.cumsum(part, axis=0) + before for part, before in zip(counts, (flagged, hits), strict=True)
        )
        others, found = images.sum(axis=1, keepdims=True) - images, positives.sum(axis=1, keepdims=True) - positives
        own_hits = counts[1].sum(axis=1, keepdims=True) - counts[1]
        sums += (own_hits * np.divide(found, others, out=np.zeros_like(found), where=others > 0)).sum(axis=0)
        flagged, hits = images[-1], positives[-1]
    left = hits.sum() - hits
    return np.asarray(np.divide(sums, left, out=np.zeros(patients), where=left > 0))


def auc(sample: Sample) -> Influence:
    """AUC: how far each image's placement lies from it.

    Source: doi:10.2307/2531595.
    """
    return partial_auc(sample, share=1.0)


def partial_auc(sample: Sample, *, share: float) -> Influence:
    """Area under the ROC curve at false positive rates up to ``share``, divided by nothing.

    The cut-off is a quantile of the sample. Contributions of the negatives hold what it moves: an image that raises it
    takes area from all positives between the scores.

    Raises:
        ValueError: The share is not in (0, 1].

    Source: doi:10.1177/0272989X8900900307.
    """
    if not 0 < share <= 1:
        raise ValueError(f"the share of false positives must be above 0 and at most 1; got {share}")
    order = ascending(sample.scores)[::-1]
    present = sample.present[order]
    starts = group_starts(sample.scores[order])
    sizes = np.diff(starts, append=len(order))
    positives = np.add.reduceat(present, starts, dtype=np.float64)
    alarms = np.cumsum(sizes - positives)
    m, n = positives.sum(), alarms[-1]
    end, begin = alarms / n, (alarms - (sizes - positives)) / n
    area, by_begin, by_end = _ramps(begin, end, share)
    value = float(positives @ area / m)
    # A negative raises the rate at which its own group ends, and both rates of all groups below it.
    below = np.cumsum((positives * (by_begin + by_end))[::-1])[::-1] - positives * by_begin
    pull = float(positives @ (by_begin * begin + by_end * end))
    images = np.empty(len(order))
    images[order] = np.where(
        present, np.repeat((area - value) / m, sizes), np.repeat((below - pull) / (m * n), sizes)
    )  # fmt: skip
    return sample.moved(value, images)


def _ramps(begin: Numbers, end: Numbers, share: float) -> tuple[Numbers, Numbers, Numbers]:
    """Area that a positive adds which is found between two rates, and its derivatives by them; up to ``share``."""
    width = np.where(end > begin, end - begin, 1.0)
    reached = np.clip((share - begin) / width, 0, 1)  # part of the ramp inside the region
    is_inside, is_cut = end <= share, (begin < share) & (share < end)
    area = np.where(is_inside, share - (begin + end) / 2, np.where(is_cut, reached**2 * width / 2, 0.0))
    by_begin = np.where(is_inside, -0.5, np.where(is_cut, reached**2 / 2 - reached, 0.0))
    by_end = np.where(is_inside, -0.5, np.where(is_cut, -(reached**2) / 2, 0.0))
    return area, by_begin, by_end
