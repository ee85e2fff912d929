"""Means over images, some of which show the same patient; a proportion is the mean of zeros and ones."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxrbench.stats import student
from cxrbench.stats.clustered import MIN_PATIENTS
from cxrbench.stats.clusters import ClusterSizes, numbered, residual_moments

CORRELATION = 0.5
"""Working correlation of a patient's images, for the degrees of freedom."""


@dataclass(frozen=True)
class MeanEstimate:
    """A mean over images, on new patients; NaN where there is none or no interval is offered.

    Attributes:
        estimate: The mean.
        images: How many entered it.
        patients: Whom they show.
        std_error: Clustered standard error.
        lower: Lower end of the interval.
        upper: Upper end.
        reason: Why there is no interval, or None.
    """

    estimate: float
    images: int
    patients: int
    std_error: float = np.nan
    lower: float = np.nan
    upper: float = np.nan
    reason: str | None = None


def clustered_mean(values: ArrayLike, patients: ArrayLike, *, confidence: float = 0.95) -> MeanEstimate:
    """Mean over images with Student's interval, its variance that of a ratio of patient sums.

    Args:
        values: (N,) in any unit.
        patients: (N,) who each image shows.
        confidence: Of the interval.

    Raises:
        ValueError: Shapes do not fit.
    """
    mean, counts = _mean(values, patients)
    if mean.reason is not None:
        return mean
    half = _half_width(counts, confidence) * mean.std_error
    return replace(mean, lower=mean.estimate - half, upper=mean.estimate + half)


def clustered_proportion(
    hits: NDArray[np.bool_], among: NDArray[np.bool_], patients: ArrayLike, *, confidence: float = 0.95
) -> MeanEstimate:
    """Share of ``hits`` among the images that count, with a Wilson interval for as many images as are worth it.

    The variance is that of a ratio of patient sums; the interval is Wilson's with the number of independent images
    that would have this variance, and Student's t. Where all or no images are hits, each patient counts as one image.

    Args:
        hits: (N,).
        among: (N,) which images count.
        patients: (N,) who each image shows.
        confidence: Of the interval.

    Source: doi:10.1515/ijb-2015-0024.
    """
    counted = np.asarray(among, dtype=bool)
    mean, counts = _mean(np.asarray(hits)[counted], np.asarray(patients)[counted])
    if mean.reason is not None:
        return mean
    share, variance = mean.estimate, mean.std_error**2
    effective = mean.patients if variance == 0 else min(share * (1 - share) / variance, mean.images)
    lower, upper = _wilson(share, float(effective), _half_width(counts, confidence))
    return replace(mean, lower=lower, upper=upper)


def _mean(values: ArrayLike, patients: ArrayLike) -> tuple[MeanEstimate, NDArray[np.intp]]:
    """The mean with its standard error, or the reason why it has none; images (P,) of each patient."""
    numbers, names = np.asarray(values, dtype=np.float64), np.asarray(patients)
    if numbers.ndim != 1 or names.shape != numbers.shape:
        raise ValueError(f"needs one patient per value: got {names.shape} for {numbers.shape}")
    code, _ = numbered(names)
    counts = np.bincount(code)
    images, n_patients = len(numbers), int(np.count_nonzero(counts))
    mean = MeanEstimate(float(numbers.mean()) if images else np.nan, images, n_patients)
    if n_patients < MIN_PATIENTS:
        return replace(mean, reason=f"{n_patients} patients; an interval needs {MIN_PATIENTS}"), counts
    deviations = np.bincount(code, weights=numbers - mean.estimate)
    std_error = float(np.sqrt((deviations**2).sum() * n_patients / (n_patients - 1)) / images)
    return replace(mean, std_error=std_error), counts


def _half_width(counts: NDArray[np.intp], confidence: float) -> float:
    """Standard errors to each side, a patient's images being moderately alike."""
    df = residual_moments(ClusterSizes.of(counts[:, None]), 0, CORRELATION).df
    return float(student.half_width(confidence, df))


def _wilson(share: float, n: float, half: float) -> tuple[float, float]:
    """Wilson's interval of a share of ``n`` independent images, ``half`` standard errors to each side."""
    centre = (share + half**2 / (2 * n)) / (1 + half**2 / n)
    reach = half / (1 + half**2 / n) * np.sqrt(share * (1 - share) / n + half**2 / (4 * n**2))
    # Rounding must not put an end on the wrong side of a share of 0 or 1.
    return min(max(0.0, float(centre - reach)), share), max(min(1.0, float(centre + reach)), share)
