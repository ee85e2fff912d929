"""Calibration fitted on validation images: logits in, probabilities out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression  # type: ignore[attr-defined]
from scipy.special import expit

from cxrbench.stats.logistic import fit_line, fit_slope
from cxrbench.stats.roc import checked

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class SigmoidCalibrator:
    """Probability ``expit(intercept + slope * logit)``: Platt's, or temperature scaling (slope 1/T, no intercept)."""

    slope: float
    intercept: float = 0.0

    def __call__(self, logits: ArrayLike) -> Numbers:
        """Probabilities of ``logits``, any shape."""
        return np.asarray(expit(self.intercept + self.slope * np.asarray(logits, dtype=np.float64)))


@dataclass(frozen=True)
class IsotonicCalibrator:
    """Probability that never falls as the logit rises; between and beyond the knots it is interpolated and held."""

    logits: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __call__(self, logits: ArrayLike) -> Numbers:
        """Probabilities of ``logits``, any shape."""
        return np.asarray(np.interp(np.asarray(logits, dtype=np.float64), self.logits, self.probabilities))


def fit_platt(logits: ArrayLike, present: ArrayLike) -> SigmoidCalibrator:
    """Slope and intercept by maximum likelihood against Platt's smoothed targets, which keep them finite.

    Args:
        logits: (N,) of validation images whose label is stated.
        present: (N,) truth.

    Raises:
        ValueError: A class is absent, or all logits are equal.

    Source: Platt 1999, in Advances in Large Margin Classifiers, 61-74; doi:10.1007/s10994-007-5018-6.
    """
    values, truth = _checked(logits, present)
    m, n = int(truth.sum()), int((~truth).sum())
    # In units of their own spread: logits of a hundred, which a network gone astray gives, leave nothing to start from.
    centre, spread = float(values.mean()), float(values.std())
    intercept, slope = fit_line((values - centre) / spread, np.where(truth, (m + 1) / (m + 2), 1 / (n + 2)))
    return SigmoidCalibrator(slope / spread, intercept - slope * centre / spread)


def fit_temperature(logits: ArrayLike, present: ArrayLike) -> SigmoidCalibrator:
    """One factor that makes the logits larger or smaller: order and the point of even odds stay.

    Args:
        logits: (N,) of validation images whose label is stated.
        present: (N,) truth.

    Raises:
        ValueError: A class is absent, no finite temperature is most likely (the logits separate the classes), or the
            best one is not positive (present images have the lower logits), which would turn the order round.

    Source: Guo et al. 2017, arXiv:1706.04599.
    """
    values, truth = _checked(logits, present)
    slope = fit_slope(values, truth.astype(np.float64))
    if np.isnan(slope):
        raise ValueError("no finite temperature fits: the logits separate the classes; use Platt's method")
    if slope <= 0:
        raise ValueError(
            f"no temperature fits: its inverse would be {slope:.3g}, but must be positive; use Platt's method"
        )
    return SigmoidCalibrator(slope)


def fit_isotonic(logits: ArrayLike, present: ArrayLike) -> IsotonicCalibrator:
    """The rising step function nearest to the truth; needs more images than the others, and flattens ties.

    Args:
        logits: (N,) of validation images whose label is stated.
        present: (N,) truth.

    Raises:
        ValueError: A class is absent, or all logits are equal.

    Source: doi:10.1145/775047.775151.
    """
    values, truth = _checked(logits, present)
    levels, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    shares = np.bincount(place, weights=truth) / counts
    fitted = isotonic_regression(shares, weights=counts).x
    # Only the ends of each step are needed.
    is_end = np.concatenate([[True], fitted[1:] != fitted[:-1]]) | np.concatenate([fitted[1:] != fitted[:-1], [True]])
    return IsotonicCalibrator(tuple(levels[is_end].tolist()), tuple(fitted[is_end].tolist()))


def _checked(logits: ArrayLike, present: ArrayLike) -> tuple[Numbers, NDArray[np.bool_]]:
    """Logits and truth with both classes and more than one level."""
    values, truth = checked(logits, present)
    if values.min() == values.max():
        raise ValueError(f"all {len(values)} logits are {values[0]:g}: there is nothing to calibrate")
    return values.astype(np.float64), truth
