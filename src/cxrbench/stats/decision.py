"""Net benefit: what acting on the probabilities is worth, at every threshold a clinician might choose."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxrbench.stats.bootstrap import Numbers, Resamples, sum_replicates
from cxrbench.stats.calibration import checked_probabilities
from cxrbench.stats.roc import Truth


def net_benefit(probabilities: ArrayLike, present: ArrayLike, thresholds: ArrayLike) -> Numbers:
    """True positives less false positives at the odds of the threshold, per image, (T,).

    Args:
        probabilities: (N,) from 0 to 1.
        present: (N,) truth.
        thresholds: (T,) between 0 and 1; one acts at or above.

    Raises:
        ValueError: A probability or threshold is out of range.

    Source: doi:10.1177/0272989X06295361.
    """
    values, truth = checked_probabilities(probabilities, present)
    cuts = _checked_thresholds(thresholds)
    hits, alarms = (
        len(of_class) - np.searchsorted(np.sort(of_class, kind="stable"), cuts)
        for of_class in (values[truth], values[~truth])
    )
    return np.asarray((hits - alarms * cuts / (1 - cuts)) / len(values))


def act_on_all(prevalence: float, thresholds: ArrayLike) -> Numbers:
    """Net benefit (T,) of acting on everybody; acting on nobody it is 0."""
    cuts = _checked_thresholds(thresholds)
    return np.asarray(prevalence - (1 - prevalence) * cuts / (1 - cuts))


def net_benefit_replicates(
    probabilities: ArrayLike, present: ArrayLike, resamples: Resamples, *, thresholds: ArrayLike
) -> Numbers:
    """Net benefit in every replicate, (B, T); NaN where none of the patients was drawn.

    Args:
        probabilities: (N,) from 0 to 1, of images whose label is stated.
        present: (N,) truth.
        resamples: Of the same N images.
        thresholds: (T,) as for ``net_benefit``.
    """
    values, truth = checked_probabilities(probabilities, present)
    gains = _gains(values, truth, _checked_thresholds(thresholds))
    sums = sum_replicates(np.column_stack([gains, np.ones(len(values))]), resamples)
    images = sums[:, -1:]
    return np.asarray(sums[:, :-1] / np.where(images > 0, images, np.nan))


def _gains(values: Numbers, truth: Truth, thresholds: Numbers) -> Numbers:
    """What acting on each image brings, (N, T)."""
    worth = np.where(truth[:, None], 1.0, -thresholds / (1 - thresholds))
    return np.where(values[:, None] >= thresholds, worth, 0.0)


def _checked_thresholds(thresholds: ArrayLike) -> NDArray[np.float64]:
    """Thresholds strictly between 0 and 1."""
    cuts = np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
    if not ((cuts > 0) & (cuts < 1)).all():
        raise ValueError(f"thresholds must lie between 0 and 1; got {cuts.tolist()}")
    return cuts
