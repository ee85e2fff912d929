"""Variance and degrees of freedom of a linear combination of AUCs."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cxrbench.stats import student
from cxrbench.stats.clusters import ClusterSizes, residual_moments, residual_spectrum
from cxrbench.stats.joint import JointAucs, Numbers
from cxrbench.stats.studentised import Squares

MANY = 50
"""With at least so many degrees of freedom, Satterthwaite's are as good as exact."""


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of AUCs.

    Attributes:
        estimate: The sum.
        variance: Obuchowski's.
        corrected_variance: The same, with the bias taken off that clusters of unequal size bring.
        image_variance: As if images were independent.
        df: Satterthwaite's degrees of freedom of the variance.
        parts: What the variance is made of.
    """

    estimate: float
    variance: float
    corrected_variance: float
    image_variance: float
    df: float
    parts: tuple["Part", ...]

    def df_at(self, confidence: float) -> float:
        """Degrees of freedom of the Student's t whose limits at this confidence are those of the studentised sum."""
        return self._squares.df(confidence) if self.df < MANY else self.df

    def two_sided_p(self, t: float) -> float:
        """Probability of a studentised sum at least as far from zero as ``t``."""
        return self._squares.two_sided_p(t) if self.df < MANY else float(student.two_sided_p(t, self.df))

    @cached_property
    def _squares(self) -> Squares:
        """The variance under the working correlation; exact where a patient's weight does not grow with its images."""
        return Squares.of([part.squares() for part in self.parts if part.corrected > 0])


@dataclass(frozen=True)
class Part:
    """What the images of one class, scored against one label, add to the variance.

    Attributes:
        sizes: Images per patient.
        label: Which of their labels.
        correlation: Of two images of one patient, 0 to 1.
        variance: Obuchowski's.
        corrected: The same without the bias of unequal clusters.
        df: Satterthwaite's.
    """

    sizes: ClusterSizes
    label: int
    correlation: float
    variance: float
    corrected: float
    df: float

    def squares(self) -> tuple[float, Numbers, Numbers]:
        """The part as squared normals: its variance, their values and how often each occurs."""
        if self.df >= MANY:
            return self.corrected, np.ones(1), np.array([self.df])
        return self.corrected, *residual_spectrum(self.sizes, self.label, self.correlation)


def contrast(joint: JointAucs, columns: NDArray[np.intp], weights: Numbers) -> Contrast:
    """The sum of ``weights`` times the AUCs of ``columns``, both (C,).

    Degrees of freedom are Welch and Satterthwaite's, over positive and negative images of each label.
    """
    block = np.ix_(columns, columns)
    covariance = joint.positive[block] + joint.negative[block] + joint.cross[block]
    variance = _less_rounding(float(weights @ covariance @ weights), float(weights**2 @ np.diag(covariance)))
    parts = [
        part
        for label in np.unique(joint.label[columns])
        for part in _parts(joint, label, columns[joint.label[columns] == label], weights[joint.label[columns] == label])
    ]
    corrected = np.array([part.corrected for part in parts])
    spread = float((corrected**2 / [part.df for part in parts]).sum())
    return Contrast(
        estimate=float(weights @ joint.auc[columns]),
        variance=variance,
        corrected_variance=variance + sum(part.corrected - part.variance for part in parts),
        image_variance=float(weights @ joint.image[block] @ weights),
        df=float(corrected.sum() ** 2 / spread) if spread > 0 else np.nan,
        parts=tuple(parts),
    )


def _less_rounding(variance: float, of_terms: float) -> float:
    """The variance, zero where nothing but rounding is left of its terms: columns of the same order."""
    return variance if variance > 1e-12 * of_terms else 0.0


def _parts(joint: JointAucs, label: int, columns: NDArray[np.intp], weights: Numbers) -> tuple[Part, Part]:
    """The parts of one label's positive and negative images."""
    block = np.ix_(columns, columns)
    positive, negative, image_positive, image = (
        float(weights @ part[block] @ weights)
        for part in (joint.positive, joint.negative, joint.image_positive, joint.image)
    )
    return (
        _part(joint.positives, label, positive, image_positive),
        _part(joint.negatives, label, negative, image - image_positive),
    )


def _part(sizes: ClusterSizes, label: int, variance: float, image_variance: float) -> Part:
    """A part corrected for unequal clusters, with its degrees of freedom."""
    patients = sizes.powers[0, label]
    unscaled = variance * (patients - 1) / patients
    correlation = _correlation(sizes.powers[:, label], unscaled, image_variance)
    moments = residual_moments(sizes, label, correlation)
    return Part(sizes, label, correlation, variance, unscaled / moments.shrinkage, moments.df)


def _correlation(powers: Numbers, unscaled: float, image_variance: float) -> float:
    """Correlation (0 to 1) of two images of one patient, by moments."""
    images, pairs = powers[1], powers[2] - powers[1]
    squares = image_variance * (images - 1) / images  # sum of squared deviations over images, in the unit of unscaled
    if pairs == 0 or not squares > 0:
        return 0.0
    return float(np.clip((unscaled / squares - 1) * (images - 1) / pairs, 0, 1))
