"""Clustered intervals of shares, and of sums and differences of shares whose limits are recovered from theirs.

A symmetric interval fails for net benefit or a predictive value on a small hospital: a handful of patients carries the
measure, and too few of them look like certainty. Wilson's limits do not have this fault. Limits of a combination follow
from those of its parts and from how the parts go together over patients (the method of variance estimates recovery).

Source: Zou and Donner 2008, doi:10.1002/sim.3095; ratios: Donner and Zou 2012, doi:10.1177/0962280210383082; clustered
shares: Saha et al. 2016, doi:10.1515/ijb-2015-0024.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from cxrbench.stats import student
from cxrbench.stats.clustered import MIN_PATIENTS
from cxrbench.stats.clusters import ClusterSizes, residual_moments

Numbers = NDArray[np.float64]
Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]

CORRELATION = 0.5
"""Working correlation of a patient's images, for the degrees of freedom."""


class Limited(Protocol):
    """An estimate that has limits at every confidence."""

    @property
    def estimate(self) -> float:
        """The estimate."""

    def limits(self, confidence: float) -> tuple[float, float]:
        """Lower and upper end of the interval."""


@dataclass(frozen=True)
class Share:
    """A ratio of sums over images, between 0 and 1, with Wilson's limits.

    Attributes:
        estimate: The ratio; NaN where nothing counts.
        residuals: (P,) how much each patient moves it.
        variance: Clustered variance.
        patients: Patients that count.
        df: Degrees of freedom.
    """

    estimate: float
    residuals: Numbers
    variance: float
    patients: int
    df: float

    def limits(self, confidence: float) -> tuple[float, float]:
        """Wilson's limits for as many independent images as would give the variance; each patient one if it is 0."""
        share = self.estimate
        n = float(self.patients) if self.variance <= 0 else share * (1 - share) / self.variance
        z2 = float(student.half_width(confidence, self.df)) ** 2
        centre = (share + z2 / (2 * n)) / (1 + z2 / n)
        reach = np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n**2))) / (1 + z2 / n)
        return min(max(0.0, float(centre - reach)), share), max(min(1.0, float(centre + reach)), share)


def share(above: Numbers, below: Numbers, code: Indices, *, counted: Flags, patients: int) -> Share:
    """A clustered share: the sum of ``above`` over that of ``below``.

    Args:
        above: (N,) from 0 to ``below``.
        below: (N,) weight of each image, 0 or more.
        code: (N,) patient of each image, numbered from 0.
        counted: (N,) images whose numbers per patient give the degrees of freedom.
        patients: P, more than any number in ``code``.
    """
    sums, totals = (np.bincount(code, weights=values, minlength=patients) for values in (above, below))
    counts = np.bincount(code[counted], minlength=patients)
    number, total = int(np.count_nonzero(counts)), float(totals.sum())
    if number < 2 or total == 0:
        return Share(np.nan if total == 0 else float(sums.sum()) / total, np.zeros(patients), np.nan, number, np.nan)
    ratio = float(sums.sum()) / total
    residuals = (sums - ratio * totals) / total
    variance = float(residuals @ residuals) * number / (number - 1)
    df = residual_moments(ClusterSizes.of(counts[:, None]), 0, CORRELATION).df
    # Where images weigh differently, few patients may hold most of the sum: no more of them are worth counting.
    is_weighted = bool(((above != 0) & (above != below)).any())
    if is_weighted and sums.any():
        df = min(df, max(float(sums.sum()) ** 2 / float(sums @ sums) - 1, 1.0))
    return Share(ratio, residuals, variance, number, df)


@dataclass(frozen=True)
class Odds:
    """The odds of a share, from 0 up: how many of one kind there are for each of the other."""

    of: Share

    @property
    def estimate(self) -> float:
        """The odds."""
        return float(_odds(self.of.estimate))

    @property
    def residuals(self) -> Numbers:
        """(P,) how much each patient moves them."""
        return self.of.residuals / (1 - self.of.estimate) ** 2

    def limits(self, confidence: float) -> tuple[float, float]:
        """Those of the share, as odds."""
        lower, upper = self.of.limits(confidence)
        return float(_odds(lower)), float(_odds(upper))


@dataclass(frozen=True)
class Log:
    """The natural logarithm of a share; minus infinity for 0."""

    of: Share

    @property
    def estimate(self) -> float:
        """The logarithm."""
        return _log(self.of.estimate)

    @property
    def residuals(self) -> Numbers:
        """(P,) how much each patient moves it; nothing for a share of 0."""
        return self.of.residuals / self.of.estimate if self.of.estimate > 0 else np.zeros_like(self.of.residuals)

    def limits(self, confidence: float) -> tuple[float, float]:
        """Those of the share, as logarithms."""
        lower, upper = self.of.limits(confidence)
        return _log(lower), _log(upper)


@dataclass(frozen=True)
class Combination:
    """A combination of measures: its limits follow from theirs.

    Attributes:
        estimate: Its value.
        slopes: (K,) how much it rises with each part.
        parts: K measures over the same P patients.
    """

    estimate: float
    slopes: tuple[float, ...]
    parts: Sequence["Measured"]

    @property
    def residuals(self) -> Numbers:
        """(P,) how much each patient moves it."""
        return np.asarray(
            np.sum([slope * part.residuals for slope, part in zip(self.slopes, self.parts, strict=True)], axis=0)
        )

    def limits(self, confidence: float) -> tuple[float, float]:
        """Distances to the parts' own limits, added like standard errors of correlated estimates."""
        slopes = np.array(self.slopes)
        ends = np.array([part.limits(confidence) for part in self.parts])  # (K, 2)
        reach = np.abs(ends - np.array([[part.estimate] for part in self.parts])) * np.abs(slopes)[:, None]
        together = self._correlations() * np.outer(np.sign(slopes), np.sign(slopes))
        down, up = (
            np.where(slopes > 0, reach[:, side], reach[:, 1 - side]) for side in (0, 1)
        )  # a part with a negative slope lowers the sum by rising
        lower, upper = (float(np.sqrt(max(side @ together @ side, 0.0))) for side in (down, up))
        return self.estimate - lower, self.estimate + upper

    def _correlations(self) -> Numbers:
        """Correlations (K, K) of the parts over patients; none where a part does not vary."""
        residuals = np.stack([part.residuals for part in self.parts])
        products = residuals @ residuals.T
        lengths = np.sqrt(np.diag(products))
        scale = np.outer(lengths, lengths)
        found = np.divide(products, scale, out=np.zeros_like(products), where=scale > 0)
        np.fill_diagonal(found, 1.0)
        return np.asarray(np.clip(found, -1, 1))


@dataclass(frozen=True)
class Difference:
    """The first measure minus the second, paired by patient.

    Two models on the same images err together: what they share leaves their difference, at whichever end of the
    interval, so that a model does not differ from itself. What they do not share is recovered as if independent.
    """

    first: "Measured"
    second: "Measured"

    @property
    def estimate(self) -> float:
        """The difference."""
        return self.first.estimate - self.second.estimate

    @property
    def residuals(self) -> Numbers:
        """(P,) how much each patient moves it."""
        return np.asarray(self.first.residuals - self.second.residuals)

    def limits(self, confidence: float) -> tuple[float, float]:
        """With r the correlation: reach squared is (1 - r)(a^2 + b^2) + r (a - b)^2, for distances to fitting ends."""
        (al, au), (bl, bu) = self.first.limits(confidence), self.second.limits(confidence)
        one, other = self.first.estimate, self.second.estimate
        down, up = (one - al, au - one), (other - bl, bu - other)  # below and above each of the two
        r = self._correlation()
        shared = r * max((down[0] - up[0]) ** 2, (down[1] - up[1]) ** 2) if r > 0 else 0.0
        lower, upper = (
            np.sqrt((1 - max(r, 0.0)) * (a**2 + b**2) + shared - 2 * min(r, 0.0) * a * b)
            for a, b in ((down[0], up[1]), (down[1], up[0]))
        )
        return self.estimate - float(lower), self.estimate + float(upper)

    def _correlation(self) -> float:
        """Correlation of the two measures over patients; none where one does not vary."""
        a, b = self.first.residuals, self.second.residuals
        scale = float(np.linalg.norm(a) * np.linalg.norm(b))
        return float(np.clip(a @ b / scale, -1, 1)) if scale > 0 else 0.0


Measured = Share | Odds | Log | Combination | Difference


def minus(first: Measured, second: Measured) -> Difference:
    """The difference of two measures, paired by patient."""
    return Difference(first, second)


@dataclass(frozen=True)
class Ratio:
    """A ratio of two measures from 0 up, such as a likelihood ratio; infinite where the second is 0."""

    above: Share
    below: Share

    @property
    def estimate(self) -> float:
        """The ratio."""
        if self.below.estimate == 0:
            return np.inf if self.above.estimate > 0 else np.nan
        return self.above.estimate / self.below.estimate

    def limits(self, confidence: float) -> tuple[float, float]:
        """Where the difference of ``above`` and as many times ``below`` may be zero."""
        (al, au), (bl, bu) = self.above.limits(confidence), self.below.limits(confidence)
        a, b = self.above.estimate, self.below.estimate
        lengths = np.linalg.norm(self.above.residuals) * np.linalg.norm(self.below.residuals)
        r = float(self.above.residuals @ self.below.residuals / lengths) if lengths > 0 else 0.0
        lower = _end(a, b, a - al, bu - b, r, sign=-1)
        upper = _end(a, b, au - a, b - bl, r, sign=1)
        return lower, upper


def _end(a: float, b: float, of_a: float, of_b: float, r: float, *, sign: int) -> float:
    """One end of a ratio: a root of (a - t b)^2 = the squared reach of a - t b."""
    square, middle, free = b**2 - of_b**2, a * b - r * of_a * of_b, a**2 - of_a**2
    root = np.sqrt(max(middle**2 - square * free, 0.0))
    if sign < 0:  # the smaller root, without subtracting like numbers
        return float(free / (middle + root)) if middle + root > 0 else 0.0
    return float((middle + root) / square) if square > 0 else np.inf


def two_sided_p(measure: Limited, value: float = 0.0) -> float:
    """Two-sided p-value: one minus the largest confidence whose interval leaves ``value`` out."""
    if measure.estimate == value:
        return 1.0
    side = 0 if measure.estimate > value else 1

    def beyond(confidence: float) -> float:
        """Distance of the nearer end from the value; positive while the interval leaves it out."""
        return (measure.limits(confidence)[side] - value) * (1 if side == 0 else -1)

    most = 1 - 1e-12
    if beyond(most) > 0:
        return 1e-12
    return float(1 - brentq(beyond, 1e-9, most)) if beyond(1e-9) > 0 else 1.0  # type: ignore[no-untyped-call]


def too_few(patients: int, kind: str) -> str | None:
    """Why no interval is offered, by the number of patients alone, or None."""
    if patients >= MIN_PATIENTS:
        return None
    return f"{patients} {kind} patient{'' if patients == 1 else 's'}; an interval needs {MIN_PATIENTS}"


def _log(value: float) -> float:
    return float(np.log(value)) if value > 0 else -np.inf


def _odds(value: float) -> float:
    return value / (1 - value) if value < 1 else np.inf
