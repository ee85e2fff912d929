"""Many comparisons at once: p-values that account for their number."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Numbers = NDArray[np.float64]


def holm(p_values: ArrayLike) -> Numbers:
    """Holm's adjusted p-values (H,): the chance of any false rejection stays below the level, under any dependence.

    NaN marks a comparison that could not be made; it stays NaN and does not count.

    Raises:
        ValueError: A p-value lies outside 0..1.

    Source: Holm 1979, Scand J Stat 6:65-70, https://www.jstor.org/stable/4615733.
    """
    values, ranked = _ranked(p_values)
    n = len(ranked)
    steps = values[ranked] * np.arange(n, 0, -1)
    return _placed(np.minimum(np.maximum.accumulate(steps), 1), ranked, values)


def benjamini_hochberg(p_values: ArrayLike) -> Numbers:
    """Benjamini and Hochberg's adjusted p-values (H,): the share of false among all rejections stays below the level.

    NaN as for ``holm``.

    Raises:
        ValueError: A p-value lies outside 0..1.

    Source: doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    values, ranked = _ranked(p_values)
    n = len(ranked)
    steps = values[ranked] * n / np.arange(1, n + 1)
    return _placed(np.minimum.accumulate(steps[::-1])[::-1], ranked, values)


def max_t(statistics: ArrayLike, covariance: ArrayLike, *, df: float, seed: int, draws: int = 100_000) -> Numbers:
    """Single-step max-T adjusted p-values (H,) that use how the comparisons depend on each other.

    Less strict than Holm where comparisons are strongly correlated (several models on one test set). The largest of
    H correlated t-statistics is simulated: the same seed gives the same p-values.

    Args:
        statistics: (H,) estimates over their standard errors.
        covariance: (H, H) of the estimates; only its correlations matter.
        df: Degrees of freedom, shared by all; infinite for normal statistics.
        seed: Of the simulation.
        draws: Its size; a p-value near 0.05 is off by about 0.0007 at 100,000.

    NaN marks a comparison that could not be made; it stays NaN and does not count.

    Raises:
        ValueError: The covariance does not fit the statistics, or that of a comparison which was made is unknown or
            not positive.

    Source: Hothorn, Bretz and Westfall 2008, doi:10.1002/bimj.200810425.
    """
    observed, matrix = np.abs(np.asarray(statistics, dtype=np.float64)), np.asarray(covariance, dtype=np.float64)
    if matrix.shape != (len(observed), len(observed)):
        raise ValueError(f"needs a covariance for {len(observed)} statistics; got shape {matrix.shape}")
    made = np.flatnonzero(~np.isnan(observed))
    adjusted = np.full_like(observed, np.nan)
    if len(made):
        largest = np.sort(_largest(matrix[np.ix_(made, made)], df, np.random.default_rng(seed), draws))
        at_least = draws - np.searchsorted(largest, observed[made], side="left")
        adjusted[made] = (at_least + 1) / (draws + 1)
    return adjusted


def max_t_critical(
    covariance: ArrayLike, *, df: float, seed: int, confidence: float = 0.95, draws: int = 100_000
) -> float:
    """Standard errors to each side with which all H intervals hold together.

    Such an interval may be read for the comparison, or the model, that came out best: it allows for the choice.

    Args:
        covariance: (H, H) of the estimates; only its correlations matter.
        df: Degrees of freedom, shared by all; infinite for normal statistics.
        seed: Seed of the simulation.
        confidence: Confidence of all intervals together.
        draws: Size of the simulation.

    Raises:
        ValueError: A covariance is unknown, or a variance is not positive.

    Source: doi:10.1002/bimj.200810425.
    """
    matrix = np.asarray(covariance, dtype=np.float64)
    return float(np.quantile(_largest(matrix, df, np.random.default_rng(seed), draws), confidence))


def adjust_families(
    p_values: ArrayLike, families: ArrayLike, *, adjust: Callable[[ArrayLike], Numbers] = holm
) -> Numbers:
    """Adjusted p-values (H,) within each family of comparisons; one family does not make another stricter.

    Args:
        p_values: (H,); NaN as for ``holm``.
        families: (H,) name or number of the family that each belongs to.
        adjust: ``holm`` or ``benjamini_hochberg``.

    Raises:
        ValueError: Lengths differ, or a p-value lies outside 0..1.
    """
    values, names = np.asarray(p_values, dtype=np.float64), np.asarray(families)
    if values.ndim != 1 or names.shape != values.shape:
        raise ValueError(f"needs one family per p-value; got {names.shape} for {values.shape}")
    adjusted = np.full_like(values, np.nan)
    for number in range(int((codes := np.unique(names, return_inverse=True)[1]).max(initial=-1)) + 1):
        adjusted[codes == number] = adjust(values[codes == number])
    return adjusted


def _largest(covariance: Numbers, df: float, rng: np.random.Generator, draws: int) -> Numbers:
    """Largest absolute value of correlated t-statistics, (draws,)."""
    if not ((np.diag(covariance) > 0).all() and np.isfinite(covariance).all()):
        raise ValueError(
            f"covariances must be known and variances positive; got variances {np.diag(covariance).tolist()}"
        )
    deviations = np.sqrt(np.diag(covariance))
    values, vectors = np.linalg.eigh(covariance / np.outer(deviations, deviations))
    root = vectors * np.sqrt(np.clip(values, 0, None))
    normal = np.concatenate([
        np.abs(rng.standard_normal((len(chunk), len(root))) @ root.T).max(axis=1)
        for chunk in np.array_split(np.arange(draws), max(1, draws // 10_000))
    ])  # fmt: skip
    return normal if np.isinf(df) else np.asarray(normal / np.sqrt(rng.chisquare(df, draws) / df))


def _ranked(p_values: ArrayLike) -> tuple[Numbers, NDArray[np.intp]]:
    """The p-values, and the positions of those that are numbers in ascending order."""
    values = np.asarray(p_values, dtype=np.float64)
    stated = np.flatnonzero(~np.isnan(values))
    if len(stated) and not (values[stated].min() >= 0 and values[stated].max() <= 1):
        raise ValueError(f"p-values must lie in 0..1; got {values.tolist()}")
    return values, stated[np.argsort(values[stated], kind="stable")]


def _placed(adjusted: Numbers, ranked: NDArray[np.intp], like: Numbers) -> Numbers:
    """The adjusted values back in their own order, NaN elsewhere."""
    result = np.full_like(like, np.nan)
    result[ranked] = adjusted
    return result
