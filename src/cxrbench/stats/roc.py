"""Receiver operating characteristic and the area under it; ties count one half."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxrbench.stats.sorting import Floats, ascending, group_starts

Truth = NDArray[np.bool_]


def auc(scores: ArrayLike, present: ArrayLike) -> float:
    """Area under the ROC curve: how often a present image outscores an absent one, ties counting one half.

    Exact: pairs are counted in integers, whatever the precision of the scores.

    Args:
        scores: (N,) in any unit; higher means more likely present.
        present: (N,) truth, 0/1 or Boolean; drop images whose label is not stated.

    Raises:
        ValueError: A score is NaN, a label is neither 0 nor 1, lengths differ, or a class is absent.

    Source: doi:10.1148/radiology.143.1.7063747.
    """
    values, truth = checked(scores, present)
    order = ascending(values)
    ordered_truth = truth.take(order)
    positions = np.flatnonzero(ordered_truth)
    m, n = len(positions), len(values) - len(positions)
    above = float(positions.sum()) - m * (m - 1) / 2 + _tie_correction(values.take(order), ordered_truth)
    return above / (m * n)


def aucs(scores: ArrayLike, present: ArrayLike) -> NDArray[np.float64]:
    """AUC of every column (K,) of a table, as users hold it: an image a row; NaN where a class is absent.

    A column of such a table lies scattered in memory. Turning the table once is faster than gathering each column.

    Args:
        scores: (N, K); column k is scored against label ``k % L``.
        present: (N, L) truth: 0, 1, or NaN where the label is not stated.

    Raises:
        ValueError: Shapes do not fit, a score is NaN, or a label is neither 0, 1 nor NaN.
    """
    values, labels = np.asarray(scores), np.asarray(present)
    if values.ndim != 2 or labels.ndim != 2 or len(values) != len(labels) or values.shape[1] % labels.shape[1]:
        raise ValueError(
            f"needs scores (N, models x labels) and labels (N, labels); got {values.shape} and {labels.shape}"
        )
    columns, truths = np.ascontiguousarray(values.T), np.ascontiguousarray(labels.T)
    return np.array([_stated_auc(column, truths[k % len(truths)]) for k, column in enumerate(columns)])


def _stated_auc(scores: NDArray[np.generic], labels: NDArray[np.generic]) -> float:
    """AUC over the images whose label is stated; NaN where a class is absent."""
    if np.issubdtype(labels.dtype, np.floating) and (is_blank := np.isnan(labels)).any():
        scores, labels = scores[~is_blank], labels[~is_blank]
    positives = np.count_nonzero(labels)
    return auc(scores, labels) if 0 < positives < len(labels) else np.nan


def _tie_correction(ordered: Floats, truth: Truth) -> float:
    """What the positives' summed positions gain when tied scores share the mean of their positions."""
    same = ordered[1:] == ordered[:-1]
    # Images of one kind may share a score: only where both kinds do does anything move.
    if not (same & (truth[1:] != truth[:-1])).any():
        return 0.0
    tied = np.append(same, False)
    tied[1:] |= same
    positions = np.flatnonzero(tied)
    tied_truth, starts = truth[positions], group_starts(ordered[positions])
    middles = positions[starts] + (np.diff(starts, append=len(positions)) - 1) / 2
    positives = np.add.reduceat(tied_truth, starts, dtype=np.intp)
    return float(middles @ positives) - float(positions[tied_truth].sum())


def roc_curve(scores: ArrayLike, present: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Points of the ROC curve from (0, 0) to (1, 1), one per distinct score.

    Args:
        scores: (N,) as for ``auc``.
        present: (N,) as for ``auc``.

    Returns:
        False positive rate, true positive rate and threshold, each (G + 1,) for G distinct scores: an image
        counts as positive when its score is at or above the threshold; the first threshold is infinite.

    Raises:
        ValueError: As for ``auc``.
    """
    values, truth = checked(scores, present)
    order = ascending(values)[::-1]
    ordered, ordered_truth = values[order], truth[order]
    last = np.append(group_starts(ordered)[1:], len(ordered)) - 1
    hits = np.cumsum(ordered_truth)[last]
    alarms = last + 1 - hits
    fpr = np.concatenate([[0.0], alarms / alarms[-1]])
    tpr = np.concatenate([[0.0], hits / hits[-1]])
    return fpr, tpr, np.concatenate([[np.inf], ordered[last]])


@dataclass(frozen=True)
class Ties:
    """How coarse scores are: what rounding or clipping may have taken from an AUC.

    Attributes:
        images: Number of scores, N.
        distinct: Number of distinct scores.
        tied_images: Images whose score another image has too.
        at_lowest: Images that share the lowest score; 0 if only one has it.
        at_highest: Images that share the highest score; likewise.
        tied_pairs: Share of the pairs of a present and an absent image that are tied. Had the ties been broken, the
            AUC could be half of this higher or lower.
    """

    images: int
    distinct: int
    tied_images: int
    at_lowest: int
    at_highest: int
    tied_pairs: float


def count_ties(scores: ArrayLike, present: ArrayLike) -> Ties:
    """Count tied and clipped scores.

    Args:
        scores: (N,) as for ``auc``.
        present: (N,) as for ``auc``.

    Raises:
        ValueError: As for ``auc``.
    """
    values, truth = checked(scores, present)
    order = ascending(values)
    starts = group_starts(values[order])
    sizes = np.diff(starts, append=len(values))
    positives = np.add.reduceat(truth[order], starts, dtype=np.float64)
    pairs = float(positives @ (sizes - positives)) / (float(truth.sum()) * float((~truth).sum()))
    lowest, highest = (int(size) if size > 1 else 0 for size in (sizes[0], sizes[-1]))
    return Ties(len(values), len(sizes), int(sizes[sizes > 1].sum()), lowest, highest, pairs)


def checked(scores: ArrayLike, present: ArrayLike) -> tuple[Floats, Truth]:
    """Scores as floats and truth as Booleans, both (N,), with at least one image of each kind.

    Raises:
        ValueError: Lengths differ, a label is neither 0 nor 1, or a class is absent.
    """
    values, truth = np.asarray(scores), np.asarray(present)
    if values.ndim != 1 or values.shape != truth.shape:
        raise ValueError(f"scores and labels must be two columns of one length; got {values.shape} and {truth.shape}")
    if not np.issubdtype(values.dtype, np.floating):
        values = values.astype(np.float64)
    values, truth = np.ascontiguousarray(values), np.ascontiguousarray(truth)
    if truth.dtype != np.bool_:
        truth = _booleans(truth)
    positives = int(np.count_nonzero(truth))
    if positives in {0, len(truth)}:
        raise ValueError(f"needs images of both kinds; got {positives} present, {len(truth) - positives} absent")
    return values, truth


def _booleans(labels: NDArray[np.generic]) -> Truth:
    """0/1 labels as Booleans."""
    truth: Truth = labels == 1
    # A quick count first: whatever is neither 0 nor 1, NaN too, counts as not zero.
    if np.count_nonzero(labels) != np.count_nonzero(truth):
        row = int(np.flatnonzero(~truth & (labels != 0))[0])
        raise ValueError(f"labels must be 0 or 1; row {row} is {labels[row]}: drop images whose label is not stated")
    return truth
