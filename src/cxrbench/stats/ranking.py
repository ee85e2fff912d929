"""Agreement of orders: rank correlation between the outputs of models."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxrbench.stats.bootstrap import Resamples
from cxrbench.stats.sorting import Floats, Indices, ascending, group_starts, midranks

Columns = NDArray[np.float64]

CHUNK = 8
"""Replicates ranked at a time."""


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
    ranks = _standardised_ranks(_checked_columns(columns))
    correlations: Columns = np.clip(ranks.T @ ranks, -1.0, 1.0)
    return correlations


def spearman_replicates(columns: ArrayLike, resamples: Resamples) -> Columns:
    """Spearman's rank correlations of every bootstrap replicate, (B, K, K), each replicate ranked anew.

    To average over re-samples of one archive, draw its patients once and take ``Resamples.of_rows`` of each test part:
    then the replicates of the average are averages of replicates, and patients in two test parts count in both.

    Args:
        columns: (N, K).
        resamples: Of the same N images; a few hundred replicates give an interval.

    Raises:
        ValueError: Fewer than two rows, or a value is NaN.
    """
    values = _checked_columns(columns)
    orders = [ascending(column) for column in values.T]
    starts = [group_starts(column[order]) for column, order in zip(values.T, orders, strict=True)]
    drawn = resamples.multiplicities
    return np.concatenate([
        _weighted_correlations(orders, starts, drawn[:, at : at + CHUNK].astype(np.float64)[resamples.code])
        for at in range(0, resamples.replicates, CHUNK)
    ])  # fmt: skip


def _weighted_correlations(orders: list[Indices], starts: list[Indices], weights: Columns) -> Columns:
    """Rank correlations (C, K, K) when image i counts ``weights[i]`` times, (N, C)."""
    n = weights.sum(axis=0)
    ranks = np.empty((weights.shape[1], len(orders), len(weights)))
    for k, (order, start) in enumerate(zip(orders, starts, strict=True)):
        of_group = np.add.reduceat(weights[order], start, axis=0)
        middle = np.cumsum(of_group, axis=0) - of_group / 2 - n / 2
        ranks[:, k, order] = np.repeat(middle, np.diff(start, append=len(order)), axis=0).T
    ranks *= np.sqrt(weights.T)[:, None, :]
    products = ranks @ ranks.transpose(0, 2, 1)
    lengths = np.sqrt(np.diagonal(products, axis1=1, axis2=2))
    spread = lengths[:, :, None] * lengths[:, None, :]
    correlations = np.divide(products, spread, out=np.full_like(products, np.nan), where=spread > 0)
    return np.asarray(np.clip(correlations, -1.0, 1.0))


def _standardised_ranks(values: Floats) -> Columns:
    """Midranks (N, K) less their mean, of unit length; NaN where a column is constant."""
    ranks = np.stack([midranks(column) for column in values.T], axis=1) - (len(values) + 1) / 2
    lengths = np.sqrt((ranks**2).sum(axis=0))
    return np.asarray(np.divide(ranks, lengths, out=np.full_like(ranks, np.nan), where=lengths > 0))


def _checked_columns(columns: ArrayLike) -> Floats:
    """Columns (N, K) as floats, of two rows or more."""
    values = np.asarray(columns)
    if values.ndim != 2 or len(values) < 2:
        raise ValueError(f"rank correlation needs two rows or more; got shape {values.shape}")
    return values if np.issubdtype(values.dtype, np.floating) else values.astype(np.float64)
