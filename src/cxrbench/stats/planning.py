"""What a test would show before it is made: power, detectable differences, patients needed.

The statistic of a test with an estimated variance is a noncentral t when there is a difference. Shifting a central one
promises too much power where degrees of freedom are few.

Source: Johnson, Kotz and Balakrishnan 1995, Continuous Univariate Distributions 2, chapter 31; equivalence:
doi:10.1007/BF01068419.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from scipy.optimize import brentq
from scipy.special import nctdtr, ndtr, stdtr

from cxrbench.stats import student

POWER = 0.8
"""Chance with which a detectable difference is detected."""
MANY = 1e5
"""With at least so many degrees of freedom, a t is normal."""
MOST_PATIENTS = 10**9


@dataclass(frozen=True)
class Precision:
    """How well a test set knows a difference, or would.

    Attributes:
        std_error: Standard error that the test uses.
        df: Degrees of freedom of its critical value.
        true_error: Standard deviation of the estimate, where the standard error is known to be too small or too large.
        spread_df: Degrees of freedom that match how much the standard error itself varies; those of the critical value
            unless given.
    """

    std_error: float
    df: float
    true_error: float | None = None
    spread_df: float | None = None

    def of_patients(self, factor: float) -> "Precision":
        """The same with ``factor`` times the patients of the same kind."""
        true, spread = self.true_error, self.spread_df
        return Precision(
            self.std_error / np.sqrt(factor),
            self.df * factor,
            None if true is None else true / float(np.sqrt(factor)),
            None if spread is None else spread * factor,
        )


def typical(precisions: Sequence[Precision]) -> Precision:
    """What several simulated test sets know on average: variances and degrees of freedom are averaged.

    Raises:
        ValueError: None given.
    """
    if not precisions:
        raise ValueError("needs one precision or more; got none")
    true = [one.std_error if one.true_error is None else one.true_error for one in precisions]
    spread = [one.df if one.spread_df is None else one.spread_df for one in precisions]
    return Precision(
        float(np.sqrt(np.mean([one.std_error**2 for one in precisions]))),
        float(np.mean([one.df for one in precisions])),
        float(np.sqrt(np.mean(np.square(true)))),
        float(np.mean(spread)),
    )


def upper_tail(shift: float, critical: float, precision: Precision) -> float:
    """Chance that an estimate ``shift`` above zero lies more than ``critical`` standard errors above it."""
    true = precision.std_error if precision.true_error is None else precision.true_error
    df = precision.df if precision.spread_df is None else precision.spread_df
    limit, centre = critical * precision.std_error / true, shift / true
    if df >= MANY:
        return float(ndtr(centre - limit))
    if centre == 0:
        return float(1 - stdtr(df, limit))
    below = float(nctdtr(df, centre, limit))
    # Far out in a tail SciPy gives NaN instead of 0 or 1.
    return 1 - below if np.isfinite(below) else float(centre > limit)


def power_of_test(difference: float, precision: Precision, *, level: float = 0.05) -> float:
    """Chance that a two-sided test shows a difference of this size.

    Args:
        difference: True difference.
        precision: How well the test set knows it.
        level: Level of the test.
    """
    critical = float(student.half_width(1 - level, precision.df))
    return sum(upper_tail(side, critical, precision) for side in (abs(difference), -abs(difference)))


def detectable_difference(precision: Precision, *, level: float = 0.05, power: float = POWER) -> float:
    """Smallest difference that a two-sided test shows with this power.

    Args:
        precision: How well the test set knows a difference.
        level: Level of the test.
        power: Chance asked for, above ``level``.
    """
    if not precision.std_error > 0:
        return 0.0 if precision.std_error == 0 else np.nan

    def excess(difference: float) -> float:
        return power_of_test(difference, precision, level=level) - power

    scale = max(precision.std_error, precision.true_error or 0.0)
    most = scale * (float(student.half_width(1 - level, precision.df)) + 6) * 2
    return float(brentq(excess, 0.0, most, xtol=1e-6 * scale))  # type: ignore[no-untyped-call]


def power_of_margin(
    difference: float, precision: Precision, *, margin: float, alpha: float, is_equivalence: bool = False
) -> float:
    """Chance that non-inferiority, or equivalence, is shown.

    Args:
        difference: True difference, new minus old; higher is better.
        precision: How well the test set knows it.
        margin: Above 0.
        alpha: One-sided level of each test.
        is_equivalence: Both sides of the margin must be shown.
    """
    critical = float(student.half_width(1 - 2 * alpha, precision.df))
    above = upper_tail(difference + margin, critical, precision)
    if not is_equivalence:
        return above
    return max(above + upper_tail(margin - difference, critical, precision) - 1, 0.0)


def patients_for_margin(
    precision: Precision,
    patients: int,
    *,
    margin: float,
    difference: float = 0.0,
    alpha: float = 0.025,
    power: float = POWER,
    is_equivalence: bool = False,
) -> int:
    """Patients like those of a pilot with which non-inferiority, or equivalence, is shown with this power.

    Args:
        precision: Of the pilot.
        patients: Of the pilot.
        margin: Above 0, in the unit of the measure.
        difference: True difference that is supposed, new minus old.
        alpha: One-sided level of each test.
        power: Chance asked for.
        is_equivalence: Both sides of the margin must be shown.

    Raises:
        ValueError: The supposed difference lies outside the margin, so that no number would do.
    """
    if difference <= -margin or (is_equivalence and difference >= margin):
        raise ValueError(f"a true difference of {difference:g} is not within the margin of {margin:g}")

    def reached(factor: float) -> float:
        return power_of_margin(
            difference, precision.of_patients(factor), margin=margin, alpha=alpha, is_equivalence=is_equivalence
        )

    return _patients(reached, patients, power)


def patients_for_width(precision: Precision, patients: int, *, half_width: float, confidence: float = 0.95) -> int:
    """Patients like those of a pilot whose interval reaches ``half_width`` to each side.

    Args:
        precision: Of the pilot.
        patients: Of the pilot.
        half_width: In the unit of the measure, above 0.
        confidence: Confidence of the interval.

    Raises:
        ValueError: The half-width is not positive.
    """
    if not half_width > 0:
        raise ValueError(f"a half-width must be positive; got {half_width:g}")

    def narrow(factor: float) -> float:
        at = precision.of_patients(factor)
        return -float(student.half_width(confidence, at.df)) * at.std_error

    return _patients(narrow, patients, -half_width)


def _patients(reached: Callable[[float], float], patients: int, asked: float) -> int:
    """Least number of patients at which a rising function of their multiple reaches what is asked for."""
    low, high = MIN_PATIENTS, patients
    while reached(high / patients) < asked:
        low, high = high, 2 * high
        if high > MOST_PATIENTS:
            raise ValueError(f"more than {MOST_PATIENTS:,} patients would be needed")
    while high - low > 1:
        middle = ceil((low + high) / 2) if high - low > 2 else low + 1
        low, high = (low, middle) if reached(middle / patients) >= asked else (middle, high)
    return high


MIN_PATIENTS = 10
"""A plan for fewer patients is none."""
