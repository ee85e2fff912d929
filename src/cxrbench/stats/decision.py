"""Net benefit: what acting on the probabilities is worth, at every threshold a clinician might choose."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxrbench.stats.bootstrap import Numbers, Resamples, percentile_interval, sum_replicates
from cxrbench.stats.calibration import checked_probabilities
from cxrbench.stats.roc import Truth


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit at T thresholds, in true positives per image.

    Attributes:
        thresholds: (T,) probability at or above which one acts; the odds say how many false alarms one hit is worth.
        model: (T,) acting on the model.
        lower: (T,) lower end of its interval, by patient bootstrap.
        upper: (T,) upper end.
        act_on_all: (T,) acting on everybody; on nobody it is 0.
    """

    thresholds: Numbers
    model: Numbers
    lower: Numbers
    upper: Numbers
    act_on_all: Numbers


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


def decision_curve(
    probabilities: ArrayLike,
    present: ArrayLike,
    resamples: Resamples,
    *,
    thresholds: ArrayLike,
    confidence: float = 0.95,
) -> DecisionCurve:
    """Net benefit with its interval, beside acting on everybody.

    Args:
        probabilities: (N,) from 0 to 1, of images whose label is stated.
        present: (N,) truth.
        resamples: Of the same N images.
        thresholds: (T,) as for ``net_benefit``.
        confidence: Of the interval at each threshold.
    """
    values, truth = checked_probabilities(probabilities, present)
    cuts = _checked_thresholds(thresholds)
    gains = _gains(values, truth, cuts)
    sums = sum_replicates(np.column_stack([gains, np.ones(len(values))]), resamples)
    lower, upper = percentile_interval(sums[:, :-1] / sums[:, -1:], confidence=confidence)
    return DecisionCurve(cuts, gains.mean(axis=0), lower, upper, _gains(np.ones(len(values)), truth, cuts).mean(axis=0))


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
