"""Operating points: a threshold is chosen on validation images, and judged on test images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cxrbench.stats.means import MeanEstimate, clustered_proportion
from cxrbench.stats.roc import checked, roc_curve
from cxrbench.stats.sorting import Floats


@dataclass(frozen=True)
class OperatingPoint:
    """How a threshold does on test images; intervals are clustered by patient."""

    threshold: float
    sensitivity: MeanEstimate
    specificity: MeanEstimate
    positive_predictive_value: MeanEstimate
    negative_predictive_value: MeanEstimate


def youden_threshold(scores: ArrayLike, present: ArrayLike) -> float:
    """Threshold with the largest sum of sensitivity and specificity; of several, the highest.

    Args:
        scores: (N,) of validation images: never of the images on which it will be judged.
        present: (N,) truth.

    Source: doi:10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3.
    """
    fpr, tpr, thresholds = roc_curve(scores, present)
    return float(thresholds[1:][np.argmax((tpr - fpr)[1:])])


def sensitivity_threshold(scores: ArrayLike, present: ArrayLike, *, at_least: float) -> float:
    """Highest threshold that finds the share ``at_least`` of the positive validation images.

    Raises:
        ValueError: The share is not in (0, 1].
    """
    _check_share(at_least)
    _, tpr, thresholds = roc_curve(scores, present)
    return float(thresholds[np.argmax(tpr >= at_least)])


def specificity_threshold(scores: ArrayLike, present: ArrayLike, *, at_least: float) -> float:
    """Lowest threshold that leaves the share ``at_least`` of the negative validation images alone.

    Infinite where no threshold of the sample does: the highest score is a negative's, and all must be left alone.

    Raises:
        ValueError: The share is not in (0, 1].
    """
    _check_share(at_least)
    fpr, _, thresholds = roc_curve(scores, present)
    return float(thresholds[np.flatnonzero(1 - fpr >= at_least)[-1]])


def operating_point(
    scores: ArrayLike, present: ArrayLike, patients: ArrayLike, *, threshold: float, confidence: float = 0.95
) -> OperatingPoint:
    """Judge a threshold on test images.

    Args:
        scores: (N,) in the unit of the threshold; at or above it an image counts as positive.
        present: (N,) truth.
        patients: (N,) who each image shows.
        threshold: Chosen on other images.
        confidence: Of the intervals.

    Raises:
        ValueError: The threshold or a score is NaN, or a class is absent.
    """
    values, truth = checked(scores, present)
    _check_numbers(values, threshold)
    flagged = values >= threshold
    return OperatingPoint(
        threshold,
        *(
            clustered_proportion(hits, among, patients, confidence=confidence)
            for hits, among in ((flagged, truth), (~flagged, ~truth), (truth, flagged), (~truth, ~flagged))
        ),
    )


def _check_numbers(scores: Floats, threshold: float) -> None:
    """Refuse what compares as false with everything and would count as negative."""
    if np.isnan(threshold):
        raise ValueError("the threshold is NaN: no image would count as positive; choose a threshold first")
    if np.isnan(scores).any():
        raise ValueError(f"scores must be numbers; row {int(np.flatnonzero(np.isnan(scores))[0])} is NaN")


def _check_share(share: float) -> None:
    if not 0 < share <= 1:
        raise ValueError(f"the share must be above 0 and at most 1; got {share}")
