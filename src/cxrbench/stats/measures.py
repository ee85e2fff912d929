"""Measures of probabilities with clustered intervals on new patients, for one model, several, or two compared.

Each measure is built from a ``Sample`` in one of two ways, whichever covers on small hospitals: from contributions of
images (average precision, calibration line, partial AUC), or from shares with Wilson's limits (Brier skill, net
benefit). Measures of several seeds or splits are averaged, and two of them subtracted, before the interval is taken.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cxrbench.stats import influence, ranked_influence
from cxrbench.stats.calibration import checked_probabilities
from cxrbench.stats.influence import Influence, Sample, combined
from cxrbench.stats.intervals import MeasureDifference, MeasureEstimate, Scale, measure_difference, measure_estimate
from cxrbench.stats.shares import Combination, Measured, Odds, minus, share, too_few, two_sided_p

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Support:
    """Patients on whom a measure rests; decides whether an interval is offered, without looking at the estimate.

    Attributes:
        positive: Patients with a positive image.
        negative: Patients with a negative image.
        flagged: Patients with an image at or above the threshold; None without a threshold.
        unflagged: Patients with an image below it.
    """

    positive: int
    negative: int
    flagged: int | None = None
    unflagged: int | None = None

    def obstacle(self) -> str | None:
        """Why there are too few, or None."""
        kinds = {"positive": self.positive, "negative": self.negative, "flagged": self.flagged}
        kinds["unflagged"] = self.unflagged
        reasons = (too_few(number, kind) for kind, number in kinds.items() if number is not None)
        return next((reason for reason in reasons if reason), None)


@dataclass(frozen=True)
class Recovered:
    """A measure whose limits follow from those of shares.

    Attributes:
        measured: The measure.
        support: Patients on whom it rests.
    """

    measured: Measured
    support: Support


Built = Influence | Recovered
"""A measure of one model on one test set."""


def support(sample: Sample, *, threshold: float | None = None) -> Support:
    """Count the patients on whom a measure rests."""

    def patients(rows: NDArray[np.bool_]) -> int:
        return int(np.count_nonzero(np.bincount(sample.code[rows], minlength=1)))

    counts = Support(patients(sample.present), patients(~sample.present))
    if threshold is None:
        return counts
    flagged = sample.scores >= threshold
    return Support(counts.positive, counts.negative, patients(flagged), patients(~flagged))


def brier_skill(sample: Sample) -> Recovered:
    """1 - Brier score over that of always saying the prevalence.

    Per positive image it is a gain among the positives less a cost among the negatives, both of which are carried by
    the few images with high probabilities; hence Wilson's limits.

    Raises:
        ValueError: A score lies outside 0..1.

    Source: doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
    """
    p, present = checked_probabilities(sample.scores, sample.present)
    of = partial(share, code=sample.code, patients=int(sample.code.max()) + 1)
    gain = of(np.where(present, 1 - (1 - p) ** 2, 0.0), present.astype(np.float64), counted=present)
    cost = Odds(of(np.where(present, 0.0, p**2), np.where(present, 1.0, p**2), counted=present))
    found = of(present.astype(np.float64), np.ones(len(p)), counted=present)
    rest = 1 - found.estimate
    value = (gain.estimate - cost.estimate - found.estimate) / rest
    slopes = (1 / rest, -1 / rest, (value - 1) / rest)
    return Recovered(Combination(value, slopes, (gain, cost, found)), support(sample))


def net_benefit(sample: Sample, *, threshold: float) -> Recovered:
    """True positives less false positives at the odds of the threshold, per image.

    Raises:
        ValueError: A score lies outside 0..1, or the threshold is not between 0 and 1.

    Source: doi:10.1177/0272989X06295361.
    """
    odds, flagged = _acted(sample, threshold)
    of = partial(share, below=np.ones(len(flagged)), code=sample.code, patients=int(sample.code.max()) + 1)
    hits = of((flagged & sample.present).astype(np.float64), counted=sample.present)
    alarms = of((flagged & ~sample.present).astype(np.float64), counted=_enough(flagged & ~sample.present, sample))
    value = hits.estimate - odds * alarms.estimate
    return Recovered(Combination(value, (1.0, -odds), (hits, alarms)), support(sample, threshold=threshold))


def standardised_net_benefit(sample: Sample, *, threshold: float) -> Recovered:
    """Net benefit over the prevalence, which is the most it can be: 1 for perfect probabilities.

    Raises:
        ValueError: As for ``net_benefit``.

    Source: doi:10.1200/JCO.2015.65.5654.
    """
    odds, flagged = _acted(sample, threshold)
    present = sample.present
    of = partial(share, code=sample.code, patients=int(sample.code.max()) + 1)
    hits = of((flagged & present).astype(np.float64), present.astype(np.float64), counted=present)
    either = flagged | present
    alarms = Odds(of((flagged & ~present).astype(np.float64), either.astype(np.float64), counted=either))
    value = hits.estimate - odds * alarms.estimate
    return Recovered(Combination(value, (1.0, -odds), (hits, alarms)), support(sample, threshold=threshold))


def _acted(sample: Sample, threshold: float) -> tuple[float, NDArray[np.bool_]]:
    """Odds of the threshold, and images (N,) on which one acts."""
    if not 0 < threshold < 1:
        raise ValueError(f"thresholds must lie between 0 and 1; got {threshold}")
    checked_probabilities(sample.scores, sample.present)
    return threshold / (1 - threshold), sample.scores >= threshold


def _enough(rows: NDArray[np.bool_], sample: Sample) -> NDArray[np.bool_]:
    """These images, or all negative ones where they are of fewer than two patients."""
    return rows if len(np.unique(sample.code[rows])) > 1 else ~sample.present


def partial_auc(sample: Sample, *, at_most: float) -> Influence:
    """Partial AUC at false positive rates up to ``at_most``, standardised by McClish: 0.5 for chance, 1 is perfect.

    Raises:
        ValueError: The rate is not in (0, 1].

    Source: doi:10.1177/0272989X8900900307.
    """
    raw = ranked_influence.partial_auc(sample, share=at_most)
    least, most = at_most**2 / 2, at_most
    scale = 1 / (2 * (most - least)) if at_most < 1 else 1.0
    value = 0.5 + (raw.estimate - least) * scale if at_most < 1 else raw.estimate
    return Influence(value, raw.images * scale, raw.present, raw.code)


@dataclass(frozen=True)
class Measure:
    """How a measure is built from a sample, and where its estimate is about normal.

    Attributes:
        build: The measure of a sample.
        scale: Scale of its interval; of no use where limits are recovered from shares.
    """

    build: Callable[[Sample], Built]
    scale: Scale = Scale.PLAIN


MEASURES: Mapping[str, Measure] = {
    "auc": Measure(ranked_influence.auc, Scale.LOGIT),
    "average_precision": Measure(ranked_influence.average_precision, Scale.LOGIT),
    "brier": Measure(influence.brier),
    "brier_skill": Measure(brier_skill),
    "slope": Measure(influence.calibration_slope),
    "intercept": Measure(influence.calibration_intercept),
}
"""Measures without a parameter, by name."""


def named(measure: str, value: float) -> Measure:
    """A measure with a parameter: net benefit at a threshold, or partial AUC up to a false positive rate.

    Args:
        measure: ``net_benefit``, ``standardised_net_benefit`` or ``partial_auc``.
        value: The threshold or the rate.

    Raises:
        ValueError: No such measure.
    """
    known: Mapping[str, Measure] = {
        "net_benefit": Measure(partial(net_benefit, threshold=value)),
        "standardised_net_benefit": Measure(partial(standardised_net_benefit, threshold=value)),
        "partial_auc": Measure(partial(partial_auc, at_most=value), Scale.LOGIT),
    }
    if measure not in known:
        raise ValueError(f"no measure {measure!r} takes a value; choose from {', '.join(known)}")
    return known[measure]


def average(built: Sequence[Built]) -> Built:
    """Mean of a measure over seeds or splits whose patients are numbered alike.

    Raises:
        ValueError: None, or some built from contributions and some from shares.
    """
    if all(isinstance(one, Influence) for one in built):
        return combined([one for one in built if isinstance(one, Influence)], [1 / len(built)] * len(built))
    parts = [one for one in built if isinstance(one, Recovered)]
    if len(parts) < len(built):
        raise ValueError("a measure built from contributions and one built from shares have no mean")
    value = float(np.mean([part.measured.estimate for part in parts]))
    slopes = (1 / len(parts),) * len(parts)
    return Recovered(Combination(value, slopes, [part.measured for part in parts]), _least([p.support for p in parts]))


def estimate(built: Built, *, scale: Scale = Scale.PLAIN, confidence: float = 0.95) -> MeasureEstimate:
    """A measure with its interval on new patients.

    Args:
        built: The measure, or an average.
        scale: Where its estimate is about normal.
        confidence: Confidence of the interval.
    """
    if isinstance(built, Influence):
        return measure_estimate(built, scale=scale, confidence=confidence)
    measured, counts = built.measured, built.support
    if reason := counts.obstacle():
        return MeasureEstimate(measured.estimate, counts.positive, counts.negative, reason=reason)
    lower, upper = measured.limits(confidence)
    return MeasureEstimate(
        measured.estimate, counts.positive, counts.negative, std_error=_std_error(measured), lower=lower, upper=upper
    )


def difference(first: Built, second: Built, *, confidence: float = 0.95) -> MeasureDifference:
    """The first measure minus the second, paired by patient.

    Args:
        first: A measure of one model, or an average.
        second: The same measure of another; patients are numbered alike.
        confidence: Confidence of the interval.

    Raises:
        ValueError: One is built from contributions, the other from shares.
    """
    if isinstance(first, Influence) and isinstance(second, Influence):
        return measure_difference(first, second, confidence=confidence)
    if not (isinstance(first, Recovered) and isinstance(second, Recovered)):
        raise ValueError("a measure built from contributions and one built from shares have no difference")
    return difference_of(minus(first.measured, second.measured), [first.support, second.support], confidence=confidence)


def difference_of(both: Measured, supports: Sequence[Support], *, confidence: float = 0.95) -> MeasureDifference:
    """A difference with limits recovered from its parts, and its p-value.

    Args:
        both: The difference.
        supports: Patients on whom its parts rest.
        confidence: Confidence of the interval.
    """
    counts = _least(supports)
    reason = counts.obstacle() or (None if np.isfinite(both.estimate) else "a share of 0 has no logarithm or quotient")
    if reason:
        return MeasureDifference(both.estimate, counts.positive, counts.negative, reason=reason)
    lower, upper = both.limits(confidence)
    return MeasureDifference(
        both.estimate, counts.positive, counts.negative,
        std_error=_std_error(both), lower=lower, upper=upper, p_value=two_sided_p(both),
    )  # fmt: skip


def _std_error(measured: Measured) -> float:
    """Clustered standard error from what patients add."""
    residuals = measured.residuals
    number = np.count_nonzero(residuals)
    return float(np.sqrt(residuals @ residuals * number / (number - 1))) if number > 1 else 0.0


def _least(counts: Sequence[Support]) -> Support:
    """The smallest of each number of patients."""

    def least(values: Sequence[int | None]) -> int | None:
        known = [value for value in values if value is not None]
        return min(known) if known else None

    return Support(
        min(one.positive for one in counts),
        min(one.negative for one in counts),
        least([one.flagged for one in counts]),
        least([one.unflagged for one in counts]),
    )
