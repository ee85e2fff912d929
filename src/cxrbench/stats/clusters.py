"""Unequal clusters: what the numbers of images per patient do to a variance estimated from patients.

A sum of squared patient deviations is biased, and varies more than its number of patients suggests, when a few
patients hold many of the images. Both follow from the cluster sizes alone once the images of a patient are taken
to be equally correlated (a working correlation), as for regression in doi:10.1080/07350015.2016.1247004.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class ClusterSizes:
    """Images of one class per patient, for L labels.

    Attributes:
        having: (S, L) patients with exactly 0, 1, 2, ... such images.
    """

    having: NDArray[np.intp]

    @classmethod
    def of(cls, counts: NDArray[np.intp]) -> "ClusterSizes":
        """From images per patient and label (P, L)."""
        most = int(counts.max(initial=0))
        return cls(np.stack([np.bincount(column, minlength=most + 1) for column in counts.T], axis=1))

    @cached_property
    def powers(self) -> Numbers:
        """Sums (6, L) over patients of size to the power 0 to 5; the zeroth counts patients with any image."""
        powers = np.arange(float(len(self.having))) ** np.arange(6)[:, None]
        powers[0, 0] = 0
        return np.asarray(powers @ self.having)

    @property
    def patients(self) -> NDArray[np.intp]:
        """Patients (L,) with at least one image."""
        return np.asarray(self.powers[0], dtype=np.intp)

    @cached_property
    def largest(self) -> NDArray[np.intp]:
        """Images (L,) of the patient with the most."""
        return np.array([np.flatnonzero(column)[-1] for column in self.having.T], dtype=np.intp)

    @property
    def images(self) -> NDArray[np.intp]:
        """Images (L,)."""
        return np.asarray(self.powers[1], dtype=np.intp)


def beside(groups: Sequence[ClusterSizes]) -> ClusterSizes:
    """The labels of several groups of images of the same patients, those of the first group first."""
    most = max(len(sizes.having) for sizes in groups)
    return ClusterSizes(
        np.concatenate([np.pad(own.having, ((0, most - len(own.having)), (0, 0))) for own in groups], axis=1)
    )


def known_patients(patients: ArrayLike) -> NDArray[np.generic]:
    """Patients (N,) as an array.

    Raises:
        ValueError: A patient is NaN or None.
    """
    names = np.asarray(patients)
    if names.dtype.kind in "fcO":
        # What does not equal itself is not a number; None stands for it in arrays of objects.
        is_none = np.array([name is None for name in names]) if names.dtype == object else False
        unknown = np.flatnonzero((names != names) | is_none)  # noqa: PLR0124
        if len(unknown):
            row = unknown[0]
            raise ValueError(f"patients must be known; row {row} is {names[row]}: name its patient or drop the image")
    return names


def numbered(patients: ArrayLike) -> tuple[NDArray[np.intp], int]:
    """Patients (N,) as numbers from 0, and an upper bound of them; not every number need occur.

    Small whole numbers stay as they are: sorting names costs more than many a statistic.

    Raises:
        ValueError: A patient is NaN or None: images of unknown patients are not all of one patient.
    """
    names = known_patients(patients)
    if not len(names):
        return np.zeros(0, dtype=np.intp), 0
    if names.dtype.kind not in "iu" or names.min() < 0 or names.max() > 4 * len(names) + 1000:
        names = np.unique(names, return_inverse=True)[1].reshape(-1)
    code = names.astype(np.intp, copy=False)
    return code, int(code.max()) + 1


@dataclass(frozen=True)
class ResidualMoments:
    """A sum of squared patient deviations under the working correlation.

    Attributes:
        shrinkage: Its expectation relative to that of the true deviations; 1 - 1/I for I patients of one size.
        df: Satterthwaite's degrees of freedom; I - 1 for I patients of one size.
    """

    shrinkage: float
    df: float


def residual_moments(sizes: ClusterSizes, label: int, correlation: float) -> ResidualMoments:
    """Bias and degrees of freedom of patient deviations from the mean of all images.

    Args:
        sizes: Images per patient.
        label: Which label.
        correlation: Of two images of one patient, 0 to 1.
    """
    # A patient of m images deviates with variance d = m (1 + (m - 1) rho); the mean that is taken off it holds
    # the share g = m / M of its own images. The residuals' covariance is diag(d) - g d' - d g' + (sum d) g g'.
    s = sizes.powers[:, label]
    g = 1 / s[1]
    linear, square = (1 - correlation, correlation), ((1 - correlation) ** 2, 2 * correlation * (1 - correlation))

    def with_d(power: int) -> float:
        """Sum of d m^power."""
        return float(linear[0] * s[1 + power] + linear[1] * s[2 + power])

    def with_d2(power: int) -> float:
        """Sum of d^2 m^power."""
        return float(square[0] * s[2 + power] + square[1] * s[3 + power] + correlation**2 * s[4 + power])

    total, gd, gg = with_d(0), g * with_d(1), g**2 * s[2]
    trace = total - 2 * gd + total * gg
    trace_square = (
        with_d2(0) - 4 * g * with_d2(1) + 2 * total * g**2 * with_d(2)
        + 2 * gd**2 + 2 * gg * with_d2(0) - 4 * total * gd * gg + (total * gg) ** 2
    )  # fmt: skip
    return ResidualMoments(shrinkage=trace / total, df=trace**2 / trace_square)


def residual_spectrum(sizes: ClusterSizes, label: int, correlation: float) -> tuple[Numbers, Numbers]:
    """What a sum of squared patient deviations is made of under the working correlation.

    It is distributed as the sum of independent squared standard normals, each times one of the returned values.

    Returns:
        Values (V,), descending, of sum 1 together with how often each occurs (V,); equal and I - 1 in number for I
        patients of one size.
    """
    m = np.flatnonzero(sizes.having[:, label])
    m = m[m > 0]
    often = sizes.having[m, label]
    d, g = m * (1 + (m - 1) * correlation), m / (often @ m)
    # Patients of one size differ from each other with d; how the sizes differ from each other is a small matrix.
    root = np.sqrt(often)
    shared = np.outer(d * root, g * root)
    between = np.diag(d) - shared - shared.T + (often @ d) * np.outer(g * root, g * root)
    values = np.concatenate([d, np.linalg.eigvalsh(between)[1:]])  # the least is zero: deviations add up to nothing
    number = np.concatenate([often - 1.0, np.ones(len(m) - 1)])
    order = np.argsort(-values)
    values, number = values[order][number[order] > 0], number[order][number[order] > 0]
    return values / (values @ number), number
