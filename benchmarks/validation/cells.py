"""What the harness counts: how often an interval holds the truth, or a test rejects a true null."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

COVERAGE = (0.935, 0.975)
RARE_COVERAGE = (0.92, 1.0)
MEAN_COVERAGE = (0.93, 1.0)
GAP_COVERAGE = (0.935, 1.0)
PAIRED_ERROR = (0.04, 0.065)
RESAMPLED_ERROR = (0.0, 0.06)
FAMILY_ERROR = (0.0, 0.06)
RARE = 20
"""Fewer positive patients than this count as rare."""


@dataclass(frozen=True)
class Cell:
    """One rate with its Monte-Carlo error.

    Attributes:
        setting: How the data were made.
        patients: In one simulated test set (or archive, for re-samples).
        question: What the method answers.
        method: Its name.
        is_control: Whether it is a method that must fail.
        finding: Or what is averaged, or the number of re-samples.
        positive_patients: Mean over replicates; NaN where it does not apply.
        replicates: That gave a result.
        rate: Coverage, or share of rejections.
        target: Lowest and highest rate allowed.
    """

    setting: str
    patients: int
    question: str
    method: str
    is_control: bool
    finding: str
    positive_patients: float
    replicates: int
    rate: float
    target: tuple[float, float]

    @property
    def mc_error(self) -> float:
        """Monte-Carlo standard error of the rate."""
        return float(np.sqrt(self.rate * (1 - self.rate) / self.replicates))

    @property
    def is_met(self) -> bool:
        """Whether the rate is within the target, allowing two Monte-Carlo errors."""
        low, high = self.target
        return low - 2 * self.mc_error <= self.rate <= high + 2 * self.mc_error


def coverage_target(positive_patients: float) -> tuple[float, float]:
    """What an AUC's interval must reach."""
    return COVERAGE if positive_patients >= RARE else RARE_COVERAGE


def rate(outcomes: Sequence[float] | np.ndarray) -> tuple[float, int]:
    """Share of true outcomes and their number; NaN stands for no result."""
    values = np.asarray(outcomes, dtype=float)
    values = values[~np.isnan(values)]
    return (float(values.mean()) if len(values) else np.nan), len(values)
