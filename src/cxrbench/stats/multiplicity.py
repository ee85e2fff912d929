"""Many comparisons at once: p-values that account for their number."""

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

    Raises:
        ValueError: The covariance does not fit the statistics, or has a variance that is not positive.

    Source: Hothorn, Bretz and Westfall 2008, doi:10.1002/bimj.200810425.
    """
    observed, matrix = np.abs(np.asarray(statistics, dtype=np.float64)), np.asarray(covariance, dtype=np.float64)
    if matrix.shape != (len(observed), len(observed)):
        raise ValueError(f"needs a covariance for {len(observed)} statistics; got shape {matrix.shape}")
    if not (np.diag(matrix) > 0).all():
        raise ValueError(f"variances must be positive; got {np.diag(matrix).tolist()}")
    largest = np.sort(_largest(matrix, df, np.random.default_rng(seed), draws))
    at_least = draws - np.searchsorted(largest, observed, side="left")
    return np.asarray((at_least + 1) / (draws + 1))


def _largest(covariance: Numbers, df: float, rng: np.random.Generator, draws: int) -> Numbers:
    """Largest absolute value of correlated t-statistics, (draws,)."""
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
