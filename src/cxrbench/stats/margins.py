"""Non-inferiority and equivalence: is a difference small enough not to matter?

"No significant difference" does not say that two models are alike. A margin, fixed beforehand, makes the question one
that an interval can answer.

Source: Schuirmann 1987, doi:10.1007/BF01068419; reporting: doi:10.1001/jama.2012.87802; paired AUCs:
doi:10.1002/sim.2358.
"""

from dataclasses import dataclass

import numpy as np

from cxrbench.stats import student
from cxrbench.stats.shares import Limited, two_sided_p

NON_INFERIORITY, EQUIVALENCE = "non-inferiority", "equivalence"
ONE_SIDED = 0.025
"""Level of non-inferiority: the usual 95 % interval then decides."""
TWO_ONE_SIDED = 0.05
"""Level of each of equivalence's two tests: the 90 % interval decides."""


@dataclass(frozen=True)
class Studentised:
    """An estimate with a standard error, whose limits are Student's; ``shares.Limited``.

    Attributes:
        estimate: The estimate.
        std_error: Its standard error.
        df: Degrees of freedom.
    """

    estimate: float
    std_error: float
    df: float

    def limits(self, confidence: float) -> tuple[float, float]:
        """Lower and upper end of the interval."""
        half = float(student.half_width(confidence, self.df)) * self.std_error
        return self.estimate - half, self.estimate + half


@dataclass(frozen=True)
class MarginTest:
    """A difference against a margin.

    Attributes:
        question: ``non-inferiority`` or ``equivalence``.
        margin: In the unit of the measure.
        alpha: Level of the one-sided test, or of each of the two.
        confidence: Of the interval that decides, 1 - 2 alpha.
        lower: Its lower end.
        upper: Its upper end.
        p_value: One-sided; of equivalence, the larger of the two.
        is_shown: The interval lies within the margin; for non-inferiority, its worse end does.
        reason: Why nothing can be said, or None.
    """

    question: str
    margin: float
    alpha: float
    confidence: float
    lower: float
    upper: float
    p_value: float
    is_shown: bool
    reason: str | None = None


def non_inferiority(
    difference: Limited, *, margin: float, alpha: float = ONE_SIDED, is_higher_better: bool = True, most: float = 1.0
) -> MarginTest:
    """Test whether the first model is worse than the second by less than the margin.

    Args:
        difference: First minus second: ``Studentised``, or a difference of shares.
        margin: Largest loss that does not matter, in the unit of the measure.
        alpha: One-sided level.
        is_higher_better: False for errors, such as the Brier score.
        most: Range of the measure; a margin as large would hold for any two models.

    Raises:
        ValueError: The margin is not between 0 and ``most``.
    """
    _check(margin, alpha, most)
    if not np.isfinite(difference.estimate):
        return _unknown(NON_INFERIORITY, margin, alpha)
    lower, upper = difference.limits(1 - 2 * alpha)
    edge = -margin if is_higher_better else margin
    is_shown = lower > edge if is_higher_better else upper < edge
    p_value = _one_sided(difference, edge, is_above=is_higher_better)
    return MarginTest(NON_INFERIORITY, margin, alpha, 1 - 2 * alpha, lower, upper, p_value, bool(is_shown))


def equivalence(difference: Limited, *, margin: float, alpha: float = TWO_ONE_SIDED, most: float = 1.0) -> MarginTest:
    """Test whether two models differ by less than the margin, whichever is better, by two one-sided tests.

    Args:
        difference: First minus second.
        margin: Largest difference that does not matter, in the unit of the measure.
        alpha: Level of each test, and of both together.
        most: Range of the measure.

    Raises:
        ValueError: The margin is not between 0 and ``most``.
    """
    _check(margin, alpha, most)
    if not np.isfinite(difference.estimate):
        return _unknown(EQUIVALENCE, margin, alpha)
    lower, upper = difference.limits(1 - 2 * alpha)
    p_value = max(_one_sided(difference, -margin, is_above=True), _one_sided(difference, margin, is_above=False))
    is_shown = -margin < lower and upper < margin
    return MarginTest(EQUIVALENCE, margin, alpha, 1 - 2 * alpha, lower, upper, p_value, bool(is_shown))


def _one_sided(difference: Limited, edge: float, *, is_above: bool) -> float:
    """P-value for a difference that is truly at the edge or beyond it."""
    half = two_sided_p(difference, edge) / 2
    return half if (difference.estimate > edge) == is_above else 1 - half


def _unknown(question: str, margin: float, alpha: float) -> MarginTest:
    """Nothing to decide on."""
    nan = np.nan
    return MarginTest(question, margin, alpha, 1 - 2 * alpha, nan, nan, nan, False, "the difference has no interval")


def _check(margin: float, alpha: float, most: float) -> None:
    if not 0 < margin < most:
        raise ValueError(f"a margin must lie between 0 and {most:g}, the range of the measure; got {margin:g}")
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha must lie between 0 and 0.5; got {alpha:g}")
