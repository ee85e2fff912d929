"""Two approaches compared over re-samples of one archive."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxrbench.stats import student

ROUNDING = 1e-12
"""Differences that vary by no more than this share of their size are equal but for rounding."""


@dataclass(frozen=True)
class ResampledDifference:
    """Mean difference of two recipes over re-samples: which recipe is better on new training sets.

    Attributes:
        difference: Mean over re-samples.
        std_error: Corrected standard error; NaN, as all that follows from it, where there is a ``reason``.
        lower: Lower end of the interval.
        upper: Upper end.
        p_value: Two-sided, for no difference.
        probability_practically_nil: Posterior probability that the difference is too small to matter.
        n: Re-samples.
        reason: Why there is no interval, or None.
    """

    difference: float
    std_error: float
    lower: float
    upper: float
    p_value: float
    probability_practically_nil: float
    n: int
    reason: str | None = None


def corrected_resampled(
    differences: ArrayLike, *, test_to_train: float, confidence: float = 0.95, practically_nil: float = 0.01
) -> ResampledDifference:
    """Compare two recipes by the corrected re-sampled t-test.

    Re-samples share training and test patients, so their differences are not independent and SD/sqrt(J) is too
    small; the variance is therefore SD^2 times (1/J + n_test/n_train). Not meant for several seeds on one
    official list: there the test set never varies and the correction does not apply.

    Args:
        differences: (J,) one difference (first minus second recipe) per re-sample.
        test_to_train: n_test / n_train of a re-sample, the training part alone (0.2 / 0.7 for 70/10/20).
        confidence: Of the interval.
        practically_nil: Differences up to this size count as nil, in the unit of ``differences``.

    Returns:
        Mean difference with its standard error, interval, two-sided p-value, and the posterior probability that
        the true difference lies within +- ``practically_nil`` (correlated Bayesian t-test). Differences that are all
        zero leave no doubt; differences that are equal and not zero have no interval, since nobody knows their spread.

    Raises:
        ValueError: Fewer than two re-samples, a difference that is not finite, or a ratio that is not positive.

    Source: doi:10.1023/A:1024068626366; nil probability: doi:10.1007/s10994-015-5486-z.
    """
    values = _checked_differences(differences, test_to_train)
    n, mean = len(values), float(values.mean())
    std_error = float(values.std(ddof=1) * np.sqrt(1 / n + test_to_train))
    if not values.any():
        return ResampledDifference(0.0, 0.0, 0.0, 0.0, 1.0, 1.0, n)
    if np.ptp(values) <= ROUNDING * np.abs(values).max():
        nan = np.nan
        return ResampledDifference(
            mean, nan, nan, nan, nan, nan, n, reason=f"all {n} differences are {mean:.4g}: no spread"
        )
    half = float(student.half_width(confidence, n - 1)) * std_error
    p_value = float(student.two_sided_p(mean / std_error, n - 1))
    edges = (np.array([practically_nil, -practically_nil]) - mean) / std_error
    up_to = student.cumulative(edges, n - 1)
    return ResampledDifference(mean, std_error, mean - half, mean + half, p_value, float(up_to[0] - up_to[1]), n)


def _checked_differences(differences: ArrayLike, test_to_train: float) -> NDArray[np.float64]:
    """The differences as (J,) floats."""
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"needs one difference per re-sample, two or more; got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"differences must be finite; got {values.tolist()}")
    if not test_to_train > 0:
        raise ValueError(f"test_to_train must be positive; got {test_to_train}")
    return values
