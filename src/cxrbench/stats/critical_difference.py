"""Ranks of approaches over findings or re-samples: a description, not a test of any one pair.

Findings of one test set share patients, and re-samples share training sets; so the critical difference, made for
independent data sets, is too small. Say so beside the diagram.

Source: Demsar 2006, https://jmlr.org/papers/v7/demsar06a.html.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

from cxrbench.stats.sorting import midranks

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class RankComparison:
    """Mean ranks, and how far apart two must be to be told apart.

    Attributes:
        mean_ranks: (K,) 1 is best.
        critical_difference: Of two mean ranks, by Nemenyi.
        n_blocks: Rows that were ranked.
    """

    mean_ranks: tuple[float, ...]
    critical_difference: float
    n_blocks: int


def compare_ranks(scores: ArrayLike, *, level: float = 0.05) -> RankComparison:
    """Rank K approaches within each block and average.

    Args:
        scores: (J, K) one row per finding or re-sample, higher is better; rows with a NaN are left out.
        level: Of the critical difference.

    Raises:
        ValueError: Fewer than two approaches, or no complete row.
    """
    rows = np.asarray(scores, dtype=np.float64)
    rows = rows[~np.isnan(rows).any(axis=1)] if rows.ndim == 2 else rows
    if rows.ndim != 2 or not len(rows) or rows.shape[1] < 2:
        raise ValueError(f"needs complete rows of two approaches or more; got {np.shape(scores)}")
    n, k = rows.shape
    ranks = np.mean([midranks(-row) for row in rows], axis=0)
    difference = studentized_range(1 - level, k) / np.sqrt(2) * np.sqrt(k * (k + 1) / (6 * n))
    return RankComparison(tuple(ranks.tolist()), float(difference), n)


def studentized_range(probability: float, groups: int) -> float:
    """Quantile of the range of ``groups`` independent standard normal values."""
    x = np.linspace(-9, 9, 4001)
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)

    def excess(width: float) -> float:
        """Probability of a range up to ``width``, less what is asked for."""
        within = ndtr(x) - ndtr(x - width)
        return float(groups * np.trapezoid(density * within ** (groups - 1), x) - probability)

    return float(brentq(excess, 1e-6, 20))  # type: ignore[no-untyped-call]


def alike(ranks: Sequence[float], difference: float) -> list[tuple[int, int]]:
    """Longest stretches of ascending ranks less than ``difference`` apart, as first and last; none within another."""
    stretches: list[tuple[int, int]] = []
    for first, rank in enumerate(ranks):
        last = max(place for place, other in enumerate(ranks) if other - rank < difference)
        if last > first and (not stretches or last > stretches[-1][1]):
            stretches.append((first, last))
    return stretches
