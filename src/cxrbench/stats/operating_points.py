"""Operating points: a threshold is chosen on validation images, and judged on test images."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxrbench.stats.influence import Sample
from cxrbench.stats.intervals import MeasureDifference, MeasureEstimate
from cxrbench.stats.means import MeanEstimate, clustered_proportion
from cxrbench.stats.measures import Support, difference_of, support
from cxrbench.stats.roc import checked, roc_curve
from cxrbench.stats.shares import Combination, Log, Measured, Ratio, Share, minus, share
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


def likelihood_ratios(
    sample: Sample, *, threshold: float, confidence: float = 0.95
) -> tuple[MeasureEstimate, MeasureEstimate]:
    """How much a flagged, and an unflagged, image changes the odds of the finding.

    The interval of the first is open above where no negative image is flagged; so is its estimate.

    Args:
        sample: Scores, truth and patients of test images.
        threshold: Chosen on other images; at or above it an image counts as positive.
        confidence: Confidence of the intervals.

    Raises:
        ValueError: The threshold is NaN.

    Source: doi:10.1136/bmj.329.7458.168; intervals: doi:10.1177/0962280210383082.
    """
    rates, counts = _Rates.of(sample, threshold), support(sample)
    ratios = (rates.sensitivity, rates.false_alarms), (rates.misses, rates.specificity)
    positive, negative = (_as_estimate(Ratio(*pair), counts, confidence) for pair in ratios)
    return positive, negative


def predictive_values_at(
    sample: Sample, *, threshold: float, prevalence: float, confidence: float = 0.95
) -> tuple[MeasureEstimate, MeasureEstimate]:
    """Positive and negative predictive value where the finding is more, or less, common than on the test images.

    They follow from the likelihood ratios, which are taken to stay the same; so do the intervals.

    Args:
        sample: Scores, truth and patients of test images.
        threshold: Chosen on other images.
        prevalence: Share of images with the finding at the other place.
        confidence: Confidence of the intervals.

    Raises:
        ValueError: The threshold is NaN, or the prevalence is not between 0 and 1.
    """
    if not 0 < prevalence < 1:
        raise ValueError(f"a prevalence must lie between 0 and 1; got {prevalence}")
    odds = prevalence / (1 - prevalence)
    positive, negative = likelihood_ratios(sample, threshold=threshold, confidence=confidence)

    def chance(ratio: float) -> float:
        """Probability of the finding after an answer with this likelihood ratio."""
        return 1.0 if np.isinf(ratio) else float(odds * ratio / (1 + odds * ratio))

    found = replace(
        positive, estimate=chance(positive.estimate), lower=chance(positive.lower), upper=chance(positive.upper)
    )
    free = replace(
        negative,
        estimate=1 - chance(negative.estimate),
        lower=1 - chance(negative.upper),
        upper=1 - chance(negative.lower),
    )
    return found, free


def operating_differences(
    first: Sample, second: Sample, *, thresholds: tuple[float, float], confidence: float = 0.95
) -> dict[str, MeasureDifference]:
    """Differences of two models at their thresholds on the same images, first minus second, paired by patient.

    Args:
        first: Scores, truth and patients.
        second: Scores of the other model on the same images.
        thresholds: One for each model, chosen on other images.
        confidence: Confidence of the intervals.

    Returns:
        ``sensitivity``, ``specificity``, ``ppv``, ``npv``; and ``log_lr_positive``, ``log_lr_negative``: natural
        logarithms of the quotient of the two models' likelihood ratios.

    Raises:
        ValueError: A threshold is NaN, or the samples are of other images.
    """
    if not (np.array_equal(first.present, second.present) and np.array_equal(first.code, second.code)):
        raise ValueError("two models are compared on the same images in the same order; truth or patients differ")
    one, other = (_Rates.of(sample, cut) for sample, cut in zip((first, second), thresholds, strict=True))
    flagged = [support(sample, threshold=cut) for sample, cut in zip((first, second), thresholds, strict=True)]
    measured: dict[str, Measured] = {
        "sensitivity": minus(one.sensitivity, other.sensitivity),
        "specificity": minus(one.specificity, other.specificity),
        "ppv": minus(one.ppv, other.ppv),
        "npv": minus(one.npv, other.npv),
        "log_lr_positive": _log_quotient(one.sensitivity, one.false_alarms, other.sensitivity, other.false_alarms),
        "log_lr_negative": _log_quotient(one.misses, one.specificity, other.misses, other.specificity),
    }
    needs_flags = {"ppv", "npv"}
    plain = support(first)
    return {
        name: difference_of(both, flagged if name in needs_flags else [plain], confidence=confidence)
        for name, both in measured.items()
    }


@dataclass(frozen=True)
class _Rates:
    """Shares of a threshold on test images."""

    sensitivity: Share
    misses: Share
    specificity: Share
    false_alarms: Share
    ppv: Share
    npv: Share

    @classmethod
    def of(cls, sample: Sample, threshold: float) -> "_Rates":
        """Shares among the positive, the negative, the flagged and the unflagged images."""
        _check_numbers(sample.scores, threshold)
        flagged, present = sample.scores >= threshold, sample.present

        def among(hits: NDArray[np.bool_], all_of: NDArray[np.bool_]) -> Share:
            above, below = (hits & all_of).astype(np.float64), all_of.astype(np.float64)
            return share(above, below, sample.code, counted=all_of, patients=int(sample.code.max()) + 1)

        return cls(
            among(flagged, present), among(~flagged, present), among(~flagged, ~present), among(flagged, ~present),
            among(present, flagged), among(~present, ~flagged),
        )  # fmt: skip


def _as_estimate(measured: Ratio, counts: Support, confidence: float) -> MeasureEstimate:
    """A ratio with its limits, or the reason why it has none."""
    blank = MeasureEstimate(measured.estimate, counts.positive, counts.negative, reason=counts.obstacle())
    if blank.reason:
        return blank
    lower, upper = measured.limits(confidence)
    return replace(blank, lower=lower, upper=upper)


def _log_quotient(*shares: Share) -> Combination:
    """Logarithm of the quotient of two likelihood ratios; infinite where one of the shares is 0."""
    logs = [Log(one) for one in shares]
    signs = (1.0, -1.0, -1.0, 1.0)
    value = sum(sign * log.estimate for sign, log in zip(signs, logs, strict=True))
    return Combination(float(value), signs, logs)


def _check_numbers(scores: Floats, threshold: float) -> None:
    """Refuse what compares as false with everything and would count as negative."""
    if np.isnan(threshold):
        raise ValueError("the threshold is NaN: no image would count as positive; choose a threshold first")
    if np.isnan(scores).any():
        raise ValueError(f"scores must be numbers; row {int(np.flatnonzero(np.isnan(scores))[0])} is NaN")


def _check_share(share: float) -> None:
    if not 0 < share <= 1:
        raise ValueError(f"the share must be above 0 and at most 1; got {share}")
