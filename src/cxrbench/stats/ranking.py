"""Agreement of orders: rank correlation between the outputs of models."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxrbench.stats.sorting import midranks

Columns = NDArray[np.float64]


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's rank correlation of two columns (N,), ties at their mean rank; NaN when a column is constant.

    Raises:
        ValueError: Lengths differ, fewer than two rows, or a value is NaN.

    Source: doi:10.2307/1412159.
    """
    first, second = np.asarray(a), np.asarray(b)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"needs two columns of one length; got shapes {first.shape} and {second.shape}")
    return float(spearman_matrix(np.stack([first, second], axis=1))[0, 1])


def spearman_matrix(columns: ArrayLike) -> Columns:
    """Spearman's rank correlations (K, K) between all pairs of ``columns`` (N, K); each is ranked once.

    Raises:
        ValueError: Fewer than two rows, or a value is NaN.
    """
    ranks = _standardised_ranks(np.asarray(columns))
    correlations: Columns = np.clip(ranks.T @ ranks, -1.0, 1.0)
    return correlations


def _standardised_ranks(columns: NDArray[np.generic]) -> Columns:
    """Midranks (N, K) less their mean, of unit length; NaN where a column is constant."""
    if columns.ndim != 2 or len(columns) < 2:
        raise ValueError(f"rank correlation needs two rows or more; got shape {columns.shape}")
    values = columns if np.issubdtype(columns.dtype, np.floating) else columns.astype(np.float64)
    ranks = np.stack([midranks(column) for column in values.T], axis=1) - (len(values) + 1) / 2
    lengths = np.sqrt((ranks**2).sum(axis=0))
    return np.asarray(np.divide(ranks, lengths, out=np.full_like(ranks, np.nan), where=lengths > 0))
