"""Intervals and tests of AUCs that know which images show the same patient.

Each result says how a model (or the difference of two models) would fare on *new patients* of the same kind. A
column may be a mean over findings, and a gap between subgroups is a difference of columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from cxrbench.stats import student
from cxrbench.stats.contrast import contrast
from cxrbench.stats.joint import JointAucs, Numbers
from cxrbench.stats.planning import POWER, Precision, detectable_difference

MIN_PATIENTS = 5
"""With fewer positive (or negative) patients no interval is offered."""

MOST = 0.5
"""When one patient has more than this share of the positive (or negative) images no interval is offered."""

ROUNDING = 1e-28
"""Variance of a column that is left by rounding; one exchanged pair among a million images of each class adds more."""

Columns = int | Sequence[int]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class AucEstimate:
    """An AUC, or a mean of AUCs, on new patients; NaN where no interval is offered.

    Attributes:
        estimate: NaN where no column has both classes.
        positives: Positive images, of the rarest column.
        positive_patients: Patients with a positive image, of the rarest column.
        n_columns: AUCs that entered the mean.
        std_error: Obuchowski's clustered standard error.
        lower: Lower end of the interval.
        upper: Upper end.
        df: Degrees of freedom: Satterthwaite's; of a difference, those of the Student's t with the same limits.
        inflation: Clustered variance over the variance that takes images as independent.
        reason: Why there is no interval, or None.
    """

    estimate: float
    positives: int
    positive_patients: int
    n_columns: int
    std_error: float = np.nan
    lower: float = np.nan
    upper: float = np.nan
    df: float = np.nan
    inflation: float = np.nan
    reason: str | None = None


@dataclass(frozen=True)
class AucDifference(AucEstimate):
    """A difference of AUCs or of mean AUCs, first minus second, on new patients.

    Attributes:
        p_value: Two-sided, for no difference.
        smallest_detectable: Difference that this test set would show with 80 % power at the level of the interval.
        precision: How well the test set knows a difference, for planning; None where there is no interval.
    """

    p_value: float = np.nan
    smallest_detectable: float = np.nan
    precision: Precision | None = None


def auc_estimate(joint: JointAucs, columns: Columns, *, confidence: float = 0.95) -> AucEstimate:
    """AUC of a column, or mean over columns, with an interval on the logit scale.

    Columns without both classes are left out of a mean; ``n_columns`` says how many remain. A mean has an interval
    when each of them has one: patients enough, and placements that vary (scores neither
    constant nor perfect). The interval, unlike the standard error, is corrected for the bias
    that patients with unequally many images bring.
    """
    kept = np.atleast_1d(columns)
    kept = kept[~np.isnan(joint.auc[kept])]
    blank = AucEstimate(_mean(joint.auc[kept]), *_support(joint, kept), n_columns=len(kept))
    if reason := _obstacle(joint, kept):
        return replace(blank, reason=reason)
    if len(still := kept[~_varies(joint, kept)]):
        return replace(blank, reason=f"an AUC of {joint.auc[still[0]]:g}, whose placements do not vary")
    mean = contrast(joint, kept, np.full(len(kept), 1 / len(kept)))
    half = student.half_width(confidence, mean.df) * np.sqrt(mean.corrected_variance)
    ends = logit(mean.estimate) + np.array([-1, 1]) * half / (mean.estimate * (1 - mean.estimate))
    lower, upper = expit(ends).tolist()
    return replace(
        blank,
        std_error=float(np.sqrt(mean.variance)),
        lower=lower,
        upper=upper,
        df=mean.df,
        inflation=mean.variance / mean.image_variance,
    )


def auc_difference(joint: JointAucs, first: Columns, second: Columns, *, confidence: float = 0.95) -> AucDifference:
    """AUC of ``first`` minus AUC of ``second``, or the difference of their means, paired by patient.

    Two models on one finding, two models averaged over findings, or one model in two subgroups: patients may count
    on both sides. Where one side of a pair of columns lacks a class, the pair is left out of both means.

    Raises:
        ValueError: ``first`` and ``second`` name different numbers of columns.
    """
    pairs = np.stack([np.atleast_1d(first), np.atleast_1d(second)])
    pairs = pairs[:, ~np.isnan(joint.auc[pairs]).any(axis=0)]
    n, columns = pairs.shape[1], pairs.ravel()
    estimate = _mean(joint.auc[pairs[0]] - joint.auc[pairs[1]])
    blank = AucDifference(estimate, *_support(joint, columns), n_columns=n)
    if reason := _obstacle(joint, columns):
        return replace(blank, reason=reason)
    if not (
        _varies(joint, columns[:n]) | _varies(joint, columns[n:]) | (joint.auc[pairs[0]] == joint.auc[pairs[1]])
    ).all():
        return replace(blank, reason="placements do not vary")
    difference = contrast(joint, columns, np.repeat([1 / n, -1 / n], n))
    if not difference.variance > 0:
        return _without_variance(blank)
    std_error, df = float(np.sqrt(difference.variance)), difference.df_at(confidence)
    half = float(student.half_width(confidence, df)) * std_error
    precision = Precision(std_error, df, spread_df=difference.df)
    return replace(
        blank,
        std_error=std_error,
        lower=estimate - half,
        upper=estimate + half,
        df=df,
        inflation=difference.variance / difference.image_variance,
        p_value=difference.two_sided_p(estimate / std_error),
        smallest_detectable=detectable_difference(precision, level=1 - confidence),
        precision=precision,
    )


def difference_covariance(joint: JointAucs, pairs: Sequence[tuple[Columns, Columns]]) -> Numbers:
    """Covariance (H, H) of several differences, each of two columns or of two means, for ``multiplicity.max_t``.

    NaN where a difference cannot be had.
    """
    weights = np.zeros((len(pairs), len(joint.auc)))
    for row, (first, second) in zip(weights, pairs, strict=True):
        for sign, side in ((1, np.atleast_1d(first)), (-1, np.atleast_1d(second))):
            np.add.at(row, side, sign / len(side))
    used = np.flatnonzero(weights.any(axis=0))
    return np.asarray(weights[:, used] @ joint.covariance[np.ix_(used, used)] @ weights[:, used].T)


def smallest_detectable(std_error: float, df: float, *, confidence: float = 0.95, power: float = POWER) -> float:
    """Difference that a two-sided test at level 1 - ``confidence`` shows with ``power``, given its standard error.

    NaN where the standard error is.
    """
    return detectable_difference(Precision(std_error, df), level=1 - confidence, power=power)


def _without_variance(blank: AucDifference) -> AucDifference:
    """Two columns of the same order are equal beyond doubt; anything else without variance is left open."""
    if blank.estimate == 0:
        return replace(blank, std_error=0.0, lower=0.0, upper=0.0, p_value=1.0, smallest_detectable=0.0)
    return replace(blank, reason="placements do not vary")


def _varies(joint: JointAucs, columns: Indices) -> NDArray[np.bool_]:
    """Columns (C,) whose placements vary: neither constant nor perfect, so that their variance says something."""
    at = (columns, columns)
    return np.asarray(joint.positive[at] + joint.negative[at] > ROUNDING)


def _mean(values: Numbers) -> float:
    """Mean, NaN for none."""
    return float(values.mean()) if len(values) else np.nan


def _support(joint: JointAucs, columns: Indices) -> tuple[int, int]:
    """Positive images and positive patients of the rarest of the columns."""
    labels = joint.label[columns]
    if not len(labels):
        return 0, 0
    return int(joint.positives.images[labels].min()), int(joint.positives.patients[labels].min())


def _obstacle(joint: JointAucs, columns: Indices) -> str | None:
    """Why no interval can be had, or None."""
    if not len(columns):
        return "no images of both classes"
    labels = joint.label[columns]
    for name, sizes in (("positive", joint.positives), ("negative", joint.negatives)):
        # In a mean too: one finding whose variance nobody knows makes that of the mean unknown.
        if (patients := sizes.patients[labels].min()) < MIN_PATIENTS:
            return f"{patients} {name} patient{'' if patients == 1 else 's'}; an interval needs {MIN_PATIENTS}"
        if (share := (sizes.largest[labels] / sizes.images[labels]).max()) > MOST:
            return f"one patient has {share:.0%} of the {name} images; an interval needs more of others"
    return None
