"""Proportions of images, some of which show the same patient."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxrbench.stats import student
from cxrbench.stats.clustered import MIN_PATIENTS
from cxrbench.stats.clusters import ClusterSizes, numbered, residual_moments


@dataclass(frozen=True)
class Proportion:
    """A share of images, on new patients; NaN where there is none or no interval is offered.

    Attributes:
        estimate: The share.
        images: Its denominator.
        patients: Patients with an image in the denominator.
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


def clustered_proportion(
    hits: NDArray[np.bool_], among: NDArray[np.bool_], patients: ArrayLike, *, confidence: float = 0.95
) -> Proportion:
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
    code, _ = numbered(np.asarray(patients)[counted])
    values = np.asarray(hits, dtype=np.float64)[counted]
    counts = np.bincount(code)
    images, n_patients = len(values), int(np.count_nonzero(counts))
    share = float(values.mean()) if images else np.nan
    blank = Proportion(share, images, n_patients)
    if n_patients < MIN_PATIENTS:
        return replace(blank, reason=f"{n_patients} patients; an interval needs {MIN_PATIENTS}")
    deviations = np.bincount(code, weights=values - share)
    variance = float((deviations**2).sum() / images**2 * n_patients / (n_patients - 1))
    effective = n_patients if variance == 0 else min(share * (1 - share) / variance, images)
    half = float(student.half_width(confidence, _df(counts)))
    lower, upper = _wilson(share, float(effective), half)
    return replace(blank, std_error=float(np.sqrt(variance)), lower=lower, upper=upper)


def _df(counts: NDArray[np.intp]) -> float:
    """Degrees of freedom of the variance, a patient's images being moderately alike."""
    return residual_moments(ClusterSizes.of(counts[:, None]), 0, 0.5).df


def _wilson(share: float, n: float, half: float) -> tuple[float, float]:
    """Wilson's interval of a share of ``n`` independent images, ``half`` standard errors to each side."""
    centre = (share + half**2 / (2 * n)) / (1 + half**2 / n)
    reach = half / (1 + half**2 / n) * np.sqrt(share * (1 - share) / n + half**2 / (4 * n**2))
    # Rounding must not put an end on the wrong side of a share of 0 or 1.
    return min(max(0.0, float(centre - reach)), share), max(min(1.0, float(centre + reach)), share)
