"""A normal estimate over its standard error, when the variance is a sum of few and unequal squares.

Student's t supposes that the estimated variance is made of equal squares. A few patients with many images make it
of unequal ones; Satterthwaite's degrees of freedom match its spread, yet promise more small values of it than there
are, so that tests become too cautious. The tail itself is one integral.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtri, stdtridf

from cxrbench.stats import student

Numbers = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
_SINES_SQUARED = np.sin((_NODES + 1) * np.pi / 4) ** 2


@dataclass(frozen=True)
class Squares:
    """An estimated variance as a sum of independent squared normals.

    Attributes:
        values: (V,) what each square is multiplied with; together, each as often as it occurs, they give 1.
        number: (V,) how often each occurs; need not be whole.
    """

    values: Numbers
    number: Numbers

    @classmethod
    def of(cls, parts: Sequence[tuple[float, Numbers, Numbers]]) -> "Squares":
        """From independent parts: the share of each in the variance, its values, and how often they occur."""
        total = sum(share for share, _, _ in parts)
        values = [share / total * values / (values @ number) for share, values, number in parts]
        return cls(np.concatenate(values), np.concatenate([number for _, _, number in parts]))

    def two_sided_p(self, t: float) -> float:
        """Probability of a studentised value at least as far from zero as ``t``.

        The normal tail as an integral over an angle (doi:10.1109/MILCOM.1991.258319), averaged over the variance.
        """
        exponents = np.log1p(t**2 * self.values[:, None] / _SINES_SQUARED)
        return float(_WEIGHTS @ np.exp(-0.5 * (self.number @ exponents))) / 2

    def df(self, confidence: float) -> float:
        """Degrees of freedom of the Student's t that has the same two-sided limits at this confidence."""
        least = float(ndtri((1 + confidence) / 2))
        most = 1.01 * float(student.half_width(confidence, 1)) / np.sqrt(self.values.max())  # if one square were all
        limit = brentq(lambda t: self.two_sided_p(t) - (1 - confidence), least, most)  # type: ignore[no-untyped-call]
        return float(stdtridf((1 + confidence) / 2, limit))
