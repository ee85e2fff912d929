"""Macro averages over many findings, common and rare, as in the long-tailed challenges (CXR-LT), with intervals.

Source: CXR-LT 2026, arXiv:2602.22092; average precision as scikit-learn defines it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxrbench.stats import ranked_influence
from cxrbench.stats.clusters import numbered
from cxrbench.stats.influence import Influence, Sample, combined
from cxrbench.stats.intervals import MeasureEstimate, Scale, measure_estimate
from cxrbench.stats.joint import checked_columns

Numbers = NDArray[np.float64]

MACRO = "macro"
"""Name of the mean over all findings."""
F1_THRESHOLD = 0.5
"""Probability at which the challenge counts an image as positive."""


@dataclass(frozen=True)
class MacroAverages:
    """Means over the findings of a group.

    Attributes:
        average_precision: Macro mean average precision.
        auc: Macro AUROC.
        f1: Macro F1 at a threshold.
        findings: Findings that entered; those without both classes are left out.
    """

    average_precision: MeasureEstimate
    auc: MeasureEstimate
    f1: MeasureEstimate
    findings: int


def f1_score(sample: Sample, *, threshold: float = F1_THRESHOLD) -> Influence:
    """F1: twice the true positives over positive and flagged images together; 0 where none is found.

    Source: scikit-learn's ``f1_score`` with ``zero_division=0``.
    """
    flagged = sample.scores >= threshold
    above = 2.0 * (flagged & sample.present)
    below = flagged + sample.present.astype(np.float64)
    value, total = float(above.sum() / below.sum()), float(below.sum())
    return sample.moved(value, (above - value * below) / total)


def macro_averages(
    scores: ArrayLike,
    present: ArrayLike,
    patients: ArrayLike,
    *,
    groups: Mapping[str, Sequence[int]] | None = None,
    threshold: float = F1_THRESHOLD,
    confidence: float = 0.95,
) -> dict[str, MacroAverages]:
    """Macro averages over all findings and by group, on new patients.

    A mean has an interval when each of its findings has the patients for one.

    Args:
        scores: (N, L) probabilities of one model.
        present: (N, L) truth: 0, 1, or NaN where the label is not stated.
        patients: (N,) who each image shows.
        groups: Columns of each group, such as head, medium and tail; ``by_frequency`` makes them.
        threshold: Probability at which an image counts as positive, for F1.
        confidence: Confidence of the intervals.

    Returns:
        ``macro`` and each group; groups of which no finding has both classes are left out.

    Raises:
        ValueError: Shapes do not fit, a score is NaN, a label is neither 0, 1 nor NaN, or a group is called ``macro``.
    """
    values, truth = checked_columns(scores, present)
    if values.shape != truth.shape:
        raise ValueError(f"needs one column of scores per finding; got {values.shape} for {truth.shape}")
    if groups and MACRO in groups:
        raise ValueError(f"a group cannot be called {MACRO!r}: it is the mean over all findings; choose another name")
    code, _ = numbered(patients)
    samples = {k: sample for k, column in enumerate(truth.T) if (sample := _stated(values[:, k], column, code))}
    chosen = {MACRO: range(truth.shape[1]), **(groups or {})}
    built = {k: _measures(sample, threshold) for k, sample in samples.items()}
    return {
        name: _averages([built[k] for k in columns if k in built], confidence)
        for name, columns in chosen.items()
        if any(k in built for k in columns)
    }


def by_frequency(
    positives: ArrayLike, *, head: int, tail: int, names: tuple[str, str, str] = ("head", "medium", "tail")
) -> dict[str, list[int]]:
    """Findings by their number of positive training images.

    Args:
        positives: (L,) positive training images of each finding.
        head: Findings with more than so many are the head.
        tail: Findings with fewer than so many are the tail.
        names: Of the three groups.

    Raises:
        ValueError: ``tail`` is above ``head``.
    """
    if tail > head:
        raise ValueError(f"the tail must not reach above the head; got tail {tail}, head {head}")
    counts = np.asarray(positives)
    is_head, is_tail = counts > head, counts < tail
    masks = (is_head, ~is_head & ~is_tail, is_tail)
    return {name: np.flatnonzero(mask).tolist() for name, mask in zip(names, masks, strict=True)}


def _stated(scores: NDArray[np.floating], present: NDArray[np.floating], code: NDArray[np.intp]) -> Sample | None:
    """Images of one finding whose label is stated; None without both classes."""
    rows = np.flatnonzero(~np.isnan(present))
    truth = present[rows] == 1
    if not 0 < truth.sum() < len(truth):
        return None
    return Sample(scores[rows].astype(np.float64), truth, code[rows])


def _measures(sample: Sample, threshold: float) -> tuple[Influence, Influence, Influence]:
    """Average precision, AUC and F1 of one finding."""
    return (
        ranked_influence.average_precision(sample),
        ranked_influence.auc(sample),
        f1_score(sample, threshold=threshold),
    )


def _averages(built: Sequence[tuple[Influence, Influence, Influence]], confidence: float) -> MacroAverages:
    """Means over findings, each with its interval."""
    precision, auc, f1 = (
        _mean(own, scale, confidence)
        for own, scale in zip(zip(*built, strict=True), (Scale.LOGIT, Scale.LOGIT, Scale.PLAIN), strict=True)
    )
    return MacroAverages(precision, auc, f1, len(built))


def _mean(own: Sequence[Influence], scale: Scale, confidence: float) -> MeasureEstimate:
    """A mean over findings; no interval where one of them has none."""
    mean = measure_estimate(combined(own, [1 / len(own)] * len(own)), scale=scale, confidence=confidence)
    alone = (measure_estimate(one, confidence=confidence).reason for one in own)
    reason = next((reason for reason in alone if reason), None)
    if reason is None:
        return mean
    nan = np.nan
    return replace(mean, std_error=nan, lower=nan, upper=nan, df=nan, reason=reason)
