"""Clustered intervals of any measure whose contributions are known, on a scale that suits it.

The variance is Obuchowski's: sums over patients of what their positive and their negative images add, each with its
own factor. For an AUC it is that of ``clustered``; with one image a patient, DeLong's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from cxrbench.stats import student
from cxrbench.stats.clustered import MIN_PATIENTS, MOST, smallest_detectable
from cxrbench.stats.clusters import ClusterSizes, residual_moments
from cxrbench.stats.influence import Influence, combined

Numbers = NDArray[np.float64]


class Scale(StrEnum):
    """Where an estimate is about normal."""

    PLAIN = "plain"
    """Unbounded: calibration intercept and slope, differences."""
    LOGIT = "logit"
    """Between 0 and 1: AUC, average precision."""
    FISHER = "Fisher's z"
    """Between -1 and 1: correlation."""


@dataclass(frozen=True)
class MeasureEstimate:
    """A measure on new patients; NaN where no interval is offered.

    Attributes:
        estimate: NaN where the measure does not exist.
        positive_patients: Patients with a positive image.
        negative_patients: Patients with a negative image.
        std_error: Clustered standard error.
        lower: Lower end of the interval.
        upper: Upper end.
        df: Satterthwaite's degrees of freedom.
        reason: Why there is no interval, or None.
    """

    estimate: float
    positive_patients: int
    negative_patients: int
    std_error: float = np.nan
    lower: float = np.nan
    upper: float = np.nan
    df: float = np.nan
    reason: str | None = None


@dataclass(frozen=True)
class MeasureDifference(MeasureEstimate):
    """A difference of two measures, first minus second.

    Attributes:
        p_value: Two-sided, for no difference.
        smallest_detectable: Difference that would be shown with 80 % power at the level of the interval.
    """

    p_value: float = np.nan
    smallest_detectable: float = np.nan


def measure_estimate(influence: Influence, *, scale: Scale = Scale.PLAIN, confidence: float = 0.95) -> MeasureEstimate:
    """A measure with its interval on new patients.

    Args:
        influence: The measure and its contributions.
        scale: Where it is about normal.
        confidence: Confidence of the interval.
    """
    blank = MeasureEstimate(influence.estimate, *_support(influence))
    transform = SCALES[scale]
    if reason := _obstacle(influence) or transform.obstacle(influence.estimate):
        return replace(blank, reason=reason)
    spread = clustered_spread(influence)
    if not spread.variance > 0:
        return replace(blank, reason="no image moves the measure")
    centre = _less_bias(influence, scale)
    half = float(student.half_width(confidence, spread.df)) * np.sqrt(max(spread.corrected, influence.jackknife))
    middle, reach = transform.forward(centre), half * transform.slope(centre)
    std_error = float(np.sqrt(spread.variance))
    lower, upper = transform.back(middle - reach), transform.back(middle + reach)
    return replace(blank, std_error=std_error, lower=lower, upper=upper, df=spread.df)


def _less_bias(influence: Influence, scale: Scale) -> float:
    """Centre of the interval: the estimate less its bias, which must not push a share below zero."""
    bias, estimate = influence.bias, influence.estimate
    if scale is not Scale.LOGIT or bias == 0:
        return estimate - bias
    return estimate**2 / (estimate + max(bias, -MOST_BIAS * estimate))


def measure_difference(first: Influence, second: Influence, *, confidence: float = 0.95) -> MeasureDifference:
    """The first measure minus the second, paired by patient, symmetric with Student's t.

    Args:
        first: One measure.
        second: The same measure of another model, or in another group; patients are numbered alike.
        confidence: Confidence of the interval.
    """
    both = combined([first, second], [1.0, -1.0])
    blank = MeasureDifference(both.estimate, *_support(both))
    if reason := _obstacle(both):
        return replace(blank, reason=reason)
    spread = clustered_spread(both)
    if not spread.variance > ROUNDING * clustered_spread(first).variance:
        if both.estimate == 0:
            return replace(blank, std_error=0.0, lower=0.0, upper=0.0, p_value=1.0, smallest_detectable=0.0)
        return replace(blank, reason="no image moves the difference")
    std_error = float(np.sqrt(spread.variance))
    half = float(student.half_width(confidence, spread.df)) * std_error
    return replace(
        blank,
        std_error=std_error,
        lower=both.estimate - half,
        upper=both.estimate + half,
        df=spread.df,
        p_value=float(student.two_sided_p(both.estimate / std_error, spread.df)),
        smallest_detectable=smallest_detectable(std_error, spread.df, confidence=confidence),
    )


@dataclass(frozen=True)
class Spread:
    """How far a measure varies between samples of patients.

    Attributes:
        variance: Obuchowski's.
        corrected: The same, with the bias taken off that clusters of unequal size bring.
        df: Satterthwaite's degrees of freedom.
    """

    variance: float
    corrected: float
    df: float


MOST_BIAS = 0.5
"""Share of an estimate that is added to it at most for its bias; it is below 1 even so."""

ROUNDING = 1e-12
"""Share of a variance that rounding leaves of a difference between equal columns."""


def clustered_spread(influence: Influence) -> Spread:
    """Variance of a measure over samples of patients, with degrees of freedom from the numbers of images alone."""
    code, n_patients = influence.code, int(influence.code.max()) + 1
    sides = [_Side.of(influence, side, n_patients) for side in (influence.present, ~influence.present)]
    whole = np.bincount(code, weights=influence.images, minlength=n_patients)
    patients = np.count_nonzero(np.bincount(code, minlength=n_patients))
    own = [float(side.sums @ side.sums) for side in sides]
    rest = float(whole @ whole) - sum(own)
    variances = [side.factor * square for side, square in zip(sides, own, strict=True)]
    variance = sum(variances) + patients / (patients - 1) * rest
    corrected = [value * side.correction for value, side in zip(variances, sides, strict=True)]
    # What a class adds on average varies with the patients' shares of it: as much as its patients are unequal.
    share = max(float(sides[0].level @ sides[0].level), 0.0)
    parts = [*zip(corrected, (side.df for side in sides), strict=True), (share, sides[0].df_alike)]
    weight = sum(value**2 / df for value, df in parts)
    return Spread(
        variance=variance,
        corrected=variance + sum(corrected) - sum(variances),
        df=float(sum(value for value, _ in parts) ** 2 / weight) if weight > 0 else np.inf,
    )


@dataclass(frozen=True)
class _Side:
    """Images of one class.

    Attributes:
        sums: (P,) contributions of each patient less the mean over the images of the class.
        level: (P,) that mean times each patient's images.
        factor: I / (I - 1).
        correction: By which unequal clusters shrink the variance.
        df: Satterthwaite's degrees of freedom.
        df_alike: The same if all images of a patient were alike.
    """

    sums: Numbers
    level: Numbers
    factor: float
    correction: float
    df: float
    df_alike: float

    @classmethod
    def of(cls, influence: Influence, side: NDArray[np.bool_], n_patients: int) -> "_Side":
        """What a class adds."""
        code, images = influence.code[side], influence.images[side]
        counts = np.bincount(code, minlength=n_patients)
        mean = float(images.mean())
        sums = np.asarray(np.bincount(code, weights=images - mean, minlength=n_patients), dtype=np.float64)
        sizes = ClusterSizes.of(counts[:, None])
        patients = int(sizes.patients[0])
        factor = patients / (patients - 1)
        correlation = _correlation(sizes, float(sums @ sums), float(((images - mean) ** 2).sum()))
        moments, alike = residual_moments(sizes, 0, correlation), residual_moments(sizes, 0, 1.0)
        return cls(sums, np.asarray(mean * counts), factor, 1 / factor / moments.shrinkage, moments.df, alike.df)


def _correlation(sizes: ClusterSizes, clustered: float, alone: float) -> float:
    """Correlation (0 to 1) of a patient's images by moments."""
    images, pairs = float(sizes.powers[1, 0]), float(sizes.powers[2, 0] - sizes.powers[1, 0])
    if pairs == 0 or not alone > 0:
        return 0.0
    return float(np.clip((clustered / alone - 1) * (images - 1) / pairs, 0, 1))


def _support(influence: Influence) -> tuple[int, int]:
    """Patients with a positive and with a negative image."""
    return (
        len(np.unique(influence.code[influence.present])),
        len(np.unique(influence.code[~influence.present])),
    )


def _obstacle(influence: Influence) -> str | None:
    """Why no interval can be had, by counts of patients alone."""
    if np.isnan(influence.estimate) or np.isnan(influence.images).any():
        return "the measure does not exist on these images"
    for name, side in (("positive", influence.present), ("negative", ~influence.present)):
        counts = np.bincount(influence.code[side], minlength=1)
        if (patients := np.count_nonzero(counts)) < MIN_PATIENTS:
            return f"{patients} {name} patient{'' if patients == 1 else 's'}; an interval needs {MIN_PATIENTS}"
        if (share := counts.max() / counts.sum()) > MOST:
            return f"one patient has {share:.0%} of the {name} images; an interval needs more of others"
    return None


@dataclass(frozen=True)
class _Transform:
    """A scale: values to it, its derivative, back, and the open range within which it is defined."""

    forward: Callable[[float], float]
    slope: Callable[[float], float]
    back: Callable[[float], float]
    low: float = -np.inf
    high: float = np.inf

    def obstacle(self, estimate: float) -> str | None:
        """Why an estimate has no place on the scale, or None."""
        return None if self.low < estimate < self.high else f"an estimate of {estimate:g} is at the end of its range"


SCALES: Mapping[Scale, _Transform] = {
    Scale.PLAIN: _Transform(float, lambda _: 1.0, float),
    Scale.LOGIT: _Transform(lambda x: float(logit(x)), lambda x: 1 / (x * (1 - x)), lambda z: float(expit(z)), 0, 1),
    Scale.FISHER: _Transform(
        lambda x: float(np.arctanh(x)), lambda x: 1 / (1 - x**2), lambda z: float(np.tanh(z)), -1, 1
    ),
}
