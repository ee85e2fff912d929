"""Student's t: the two numbers that intervals and tests need, for real degrees of freedom, elementwise."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

Numbers = NDArray[np.float64]


def cumulative(t: ArrayLike, df: ArrayLike) -> Numbers:
    """Probability of a value up to ``t``."""
    return np.asarray(stdtr(df, t), dtype=np.float64)


def two_sided_p(t: ArrayLike, df: ArrayLike) -> Numbers:
    """Probability of a value at least as far from zero as ``t``."""
    return 2 * cumulative(-np.abs(np.asarray(t)), df)


def half_width(confidence: float, df: ArrayLike) -> Numbers:
    """Standard errors on each side of the estimate in a two-sided interval."""
    return np.asarray(stdtrit(df, (1 + confidence) / 2), dtype=np.float64)
