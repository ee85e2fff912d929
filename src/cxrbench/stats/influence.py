"""How much each image moves a measure: the first-order term from which a clustered standard error follows.

A measure of a sample differs from its value on all patients by about the sum of one contribution per image. So its
variance is that of sums over patients, and the measure of an average, a difference or a gap is the same combination of
contributions. Contributions add up to zero over the images.

Source: Huber 1981, Robust Statistics, chapter 1; clusters: doi:10.2307/2336267.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxrbench.stats.calibration import CLIP, checked_probabilities
from cxrbench.stats.clusters import numbered
from cxrbench.stats.logistic import fit_intercept, fit_line
from cxrbench.stats.roc import Truth, checked
from cxrbench.stats.sorting import Floats, ascending, group_starts

Numbers = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Influence:
    """A measure and how much each image moves it.

    Attributes:
        estimate: The measure; NaN where it does not exist.
        images: (N,) contribution of each image.
        present: (N,) truth.
        code: (N,) patient of each image, numbered from 0.
        left_out: (P,) change of the measure when each patient is left out, where the first-order term does not do.
    """

    estimate: float
    images: Numbers
    present: Truth
    code: Indices
    left_out: Numbers | None = None

    @property
    def bias(self) -> float:
        """Bias of the measure by the jackknife; 0 where no patient was left out."""
        if self.left_out is None:
            return 0.0
        patients = np.count_nonzero(np.bincount(self.code))
        return float((patients - 1) / patients * self.left_out.sum())

    @property
    def jackknife(self) -> float:
        """Variance by the jackknife; 0 where no patient was left out."""
        if self.left_out is None:
            return 0.0
        occurs = np.bincount(self.code, minlength=len(self.left_out)) > 0
        return float(self.left_out[occurs].var() * (occurs.sum() - 1))


def combined(parts: Sequence[Influence], weights: Sequence[float]) -> Influence:
    """A weighted sum of measures: an average over seeds or splits, a difference of two models, a gap between groups.

    Args:
        parts: Measures whose patients are numbered alike; images may be the same or others.
        weights: One for each.

    Raises:
        ValueError: No part, or numbers that differ.
    """
    if not parts or len(parts) != len(weights):
        raise ValueError(f"needs one weight per measure, one measure or more; got {len(weights)} for {len(parts)}")
    estimate = float(sum(weight * part.estimate for weight, part in zip(weights, parts, strict=True)))
    first = parts[0]
    if all(part.present is first.present and part.code is first.code for part in parts):
        images = np.sum([weight * part.images for weight, part in zip(weights, parts, strict=True)], axis=0)
        return Influence(estimate, np.asarray(images), first.present, first.code, _left_out(parts, weights))
    return Influence(
        estimate,
        np.concatenate([weight * part.images for weight, part in zip(weights, parts, strict=True)]),
        np.concatenate([part.present for part in parts]),
        np.concatenate([part.code for part in parts]),
        _left_out(parts, weights),
    )


def _left_out(parts: Sequence[Influence], weights: Sequence[float]) -> Numbers | None:
    """The same sum (P,) of what leaving out each patient changes; None where one part does not know."""
    known = [(weight, part.left_out) for weight, part in zip(weights, parts, strict=True) if part.left_out is not None]
    if len(known) < len(parts):
        return None
    total = np.zeros(max(len(left_out) for _, left_out in known))
    for weight, left_out in known:
        total[: len(left_out)] += weight * left_out
    return total


@dataclass(frozen=True)
class Sample:
    """Scores, truth and patients of the images of one finding whose label is stated.

    Attributes:
        scores: (N,) probabilities or other scores.
        present: (N,) truth.
        code: (N,) patient, numbered from 0.
    """

    scores: Numbers
    present: Truth
    code: Indices

    @classmethod
    def of(cls, scores: ArrayLike, present: ArrayLike, patients: ArrayLike) -> "Sample":
        """Check and number.

        Raises:
            ValueError: Lengths differ, a score is NaN, a label is neither 0 nor 1, a class is absent, or a patient is
                unknown.
        """
        values, truth = checked(scores, present)
        if np.isnan(values).any():
            raise ValueError(f"scores must be numbers; row {int(np.flatnonzero(np.isnan(values))[0])} is NaN")
        code, _ = numbered(patients)
        if code.shape != truth.shape:
            raise ValueError(f"needs one patient per image: got {code.shape} for {len(truth)} images")
        return cls(values.astype(np.float64), truth, code)

    def moved(self, estimate: float, images: Numbers, left_out: Numbers | None = None) -> Influence:
        """A measure of this sample."""
        return Influence(float(estimate), images, self.present, self.code, left_out)


def brier(sample: Sample) -> Influence:
    """Mean squared error of the probabilities."""
    values, truth = checked_probabilities(sample.scores, sample.present)
    errors = (values - truth) ** 2
    return sample.moved(errors.mean(), (errors - errors.mean()) / len(errors))


def calibration_intercept(sample: Sample) -> Influence:
    """Calibration in the large, a patient's images weighted up for what they pull the fit towards themselves."""
    values, truth = checked_probabilities(sample.scores, sample.present)
    logits = _logits(values)
    intercept = fit_intercept(logits, truth.astype(np.float64))
    return sample.moved(intercept, _fit_contributions(np.ones((1, len(logits))), logits + intercept, sample)[0])


def calibration_slope(sample: Sample) -> Influence:
    """Calibration slope, likewise; NaN where no finite one is most likely."""
    values, truth = checked_probabilities(sample.scores, sample.present)
    logits = _logits(values)
    line = np.array(fit_line(logits, truth.astype(np.float64)))
    if np.isnan(line).any():
        return sample.moved(np.nan, np.full(len(logits), np.nan))
    design = np.stack([np.ones_like(logits), logits])
    return sample.moved(line[1], _fit_contributions(design, line @ design, sample)[1])


def _fit_contributions(design: Numbers, fitted: Numbers, sample: Sample) -> Numbers:
    """Change (F, N) of coefficients by each image, as if its patient were left out: (H - H_p)^-1 of its score.

    Source: doi:10.1111/j.0006-341X.2001.00126.x.
    """
    probability = 1 / (1 + np.exp(-fitted))
    weight, n_patients = probability * (1 - probability), int(sample.code.max()) + 1
    squares = np.einsum("fn,gn,n->fgn", design, design, weight)
    f = len(design)
    of_patient = np.stack([
        np.bincount(sample.code, weights=row, minlength=n_patients) for row in squares.reshape(f * f, -1)
    ]).T.reshape(n_patients, f, f)  # fmt: skip
    without = of_patient.sum(axis=0) - of_patient
    is_regular = np.linalg.det(without) > 1e-12 * np.linalg.det(of_patient.sum(axis=0))
    inverse = np.linalg.inv(np.where(is_regular[:, None, None], without, of_patient.sum(axis=0)))  # (P, F, F)
    scores = design * (sample.present - probability)
    return np.asarray(np.einsum("nfg,gn->fn", inverse[sample.code], scores))


def spearman(first: ArrayLike, second: ArrayLike, sample: Sample) -> Influence:
    """Spearman's rank correlation of two columns (N,), ties at their mean rank; NaN when a column is constant.

    An image moves the correlation by its own ranks and by shifting those of all images above it.
    """
    columns = [np.asarray(column) for column in (first, second)]
    a, b = (_centred_ranks(column) for column in columns)
    if not (a.any() and b.any()):
        return sample.moved(np.nan, np.full(len(a), np.nan))
    n = len(a)
    (aa, bb, ab), (a_of_a, b_of_b) = (
        (float(x @ y) / n for x, y in ((a, a), (b, b), (a, b))),
        (_shifts(column, own) for column, own in zip(columns, (a, b), strict=True)),
    )
    of_ab = a * b - ab + _shifts(columns[0], b) + _shifts(columns[1], a)
    of_aa, of_bb = a**2 - aa + 2 * a_of_a, b**2 - bb + 2 * b_of_b
    value = ab / np.sqrt(aa * bb)
    return sample.moved(value, (of_ab / np.sqrt(aa * bb) - value / 2 * (of_aa / aa + of_bb / bb)) / n)


def _centred_ranks(column: Floats) -> Numbers:
    """Share of images below each, ties half, less one half (N,)."""
    order = ascending(column)
    starts = group_starts(column[order])
    sizes = np.diff(starts, append=len(order))
    ranks = np.empty(len(order))
    ranks[order] = np.repeat((starts + sizes / 2) / len(order) - 0.5, sizes)
    return ranks


def _shifts(column: Floats, values: Numbers) -> Numbers:
    """Mean over images of ``values`` times the rise of their ranks in ``column`` by one more image at each place."""
    order = ascending(column)
    starts = group_starts(column[order])
    sizes = np.diff(starts, append=len(order))
    sums = np.add.reduceat(values[order], starts)
    above = np.cumsum(sums[::-1])[::-1] - sums / 2
    shifts = np.empty(len(order))
    shifts[order] = np.repeat(above, sizes) / len(order)
    return shifts - float(shifts.mean())


def _logits(values: Numbers) -> Numbers:
    """Finite logits."""
    clipped = np.clip(values, CLIP, 1 - CLIP)
    return np.asarray(np.log(clipped / (1 - clipped)))
