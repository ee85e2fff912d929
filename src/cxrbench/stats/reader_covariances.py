"""Covariances of the AUCs of several readers, each in one or more modalities, on the same cases.

A read is one column: what one reader says of every image in one modality. Three estimates of how reads vary together
over cases are offered, as in the literature on reader studies; they differ little. Only Obuchowski's and the jackknife
know which images show one patient, and allow for reads that are missing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxrbench.stats.clusters import numbered
from cxrbench.stats.joint import joint_aucs
from cxrbench.stats.placements import placements

Numbers = NDArray[np.float64]
Indices = NDArray[np.intp]


class Covariances(StrEnum):
    """How the covariances of reads over cases are estimated."""

    CLUSTERED = "clustered"
    """Obuchowski's; DeLong's where each patient has one image."""
    JACKKNIFE = "jackknife"
    """Each patient is left out in turn."""
    UNBIASED = "unbiased"
    """The U-statistic; one image a patient and no missing read."""


@dataclass(frozen=True)
class ReadAucs:
    """AUCs of reads and how they vary together over cases.

    Attributes:
        auc: (K,) areas; NaN where a read lacks a class.
        covariance: (K, K); NaN where it is unknown.
        patients: (K,) fewest patients of a class with an image that was read.
    """

    auc: Numbers
    covariance: Numbers
    patients: Indices


def read_aucs(
    reads: ArrayLike, present: ArrayLike, patients: ArrayLike, *, method: Covariances = Covariances.CLUSTERED
) -> ReadAucs:
    """AUC of every read with the covariances over cases.

    Args:
        reads: (N, K) ratings in any unit; higher means more likely present, NaN where an image was not read.
        present: (N,) truth, 0 or 1.
        patients: (N,) who each image shows.
        method: Estimate of the covariances.

    Raises:
        ValueError: Shapes do not fit, a label is neither 0 nor 1, or ``method`` is ``UNBIASED`` and a patient has
            several images or a read is missing.

    Source: doi:10.2307/2533958, doi:10.2307/2531595; unbiased: doi:10.1016/j.acra.2005.11.030.
    """
    ratings, truth = checked_reads(reads, present)
    code, n_patients = numbered(patients)
    if code.shape != truth.shape:
        raise ValueError(f"needs one patient per image: got {code.shape} for {len(truth)} images")
    auc, covariance = _METHODS[method](ratings, truth, code, n_patients)
    is_read = ~np.isnan(ratings)
    fewest = [min(len(np.unique(code[rows & side])) for side in (truth, ~truth)) for rows in is_read.T]
    return ReadAucs(auc, covariance, np.array(fewest, dtype=np.intp))


def checked_reads(reads: ArrayLike, present: ArrayLike) -> tuple[Numbers, NDArray[np.bool_]]:
    """Ratings (N, K), NaN where not read, and truth (N,).

    Raises:
        ValueError: Shapes do not fit, or a label is neither 0 nor 1.
    """
    ratings, labels = np.asarray(reads, dtype=np.float64), np.asarray(present)
    if ratings.ndim != 2 or labels.shape != ratings.shape[:1]:
        raise ValueError(f"needs reads (N, K) and one label per image; got {ratings.shape} and {labels.shape}")
    odd = np.flatnonzero((labels != 0) & (labels != 1))
    if len(odd):
        raise ValueError(f"labels must be 0 or 1; row {odd[0]} is {labels[odd[0]]}")
    return ratings, labels == 1


def _clustered(ratings: Numbers, truth: NDArray[np.bool_], code: Indices, _: int) -> tuple[Numbers, Numbers]:
    """Obuchowski's covariances; every read is scored against the images that were read."""
    is_read = ~np.isnan(ratings)
    labels = np.where(is_read, truth[:, None], np.nan)
    joint = joint_aucs(np.where(is_read, ratings, 0.0), labels, code)
    return joint.auc, joint.covariance


def _jackknife(ratings: Numbers, truth: NDArray[np.bool_], code: Indices, n_patients: int) -> tuple[Numbers, Numbers]:
    """Covariances from the AUCs without one patient each."""
    left_out = np.stack([_without_each(column, truth, code, n_patients) for column in ratings.T])  # (K, P)
    occurs = np.bincount(code, minlength=n_patients) > 0
    n, left_out = int(occurs.sum()), left_out[:, occurs]
    deviations = left_out - left_out.mean(axis=1, keepdims=True)
    auc = np.array([_auc(column, truth) for column in ratings.T])
    return auc, np.asarray((n - 1) / n * deviations @ deviations.T)


def _without_each(rating: Numbers, truth: NDArray[np.bool_], code: Indices, n_patients: int) -> Numbers:
    """AUC of one read (P,) without each patient: wins less the patient's own, over the pairs that are left."""
    rows = np.flatnonzero(~np.isnan(rating))
    values, present, patient = rating[rows], truth[rows], code[rows]
    m, n = int(present.sum()), int((~present).sum())
    if not (m and n):
        return np.full(n_patients, np.nan)
    placed = placements(values, present)
    images = np.stack([np.bincount(patient[side], minlength=n_patients) for side in (present, ~present)])  # (2, P)
    lost = np.bincount(patient, weights=np.where(present, n, m) * placed, minlength=n_patients)
    within = np.zeros(n_patients)  # pairs of two images of one patient are taken off twice
    for own in np.flatnonzero(images.all(axis=0)):
        within[own] = _wins(values[present & (patient == own)], values[~present & (patient == own)]).sum()
    pairs = (m - images[0]) * (n - images[1])
    wins = float(placed[present].sum()) * n - lost + within
    return np.asarray(np.divide(wins, pairs, out=np.full(n_patients, np.nan), where=pairs > 0))


def _auc(rating: Numbers, truth: NDArray[np.bool_]) -> float:
    """AUC over the images that were read; NaN without both classes."""
    is_read = ~np.isnan(rating)
    present = truth[is_read]
    return float(placements(rating[is_read], present)[present].mean()) if 0 < present.sum() < len(present) else np.nan


def _wins(positive: Numbers, negative: Numbers) -> Numbers:
    """One for each pair in the right order (m, n), one half for ties."""
    return np.asarray((np.sign(positive[:, None] - negative) + 1) / 2)


def _unbiased(ratings: Numbers, truth: NDArray[np.bool_], code: Indices, n_patients: int) -> tuple[Numbers, Numbers]:
    """Covariances whose expectation is right for any number of cases."""
    if np.isnan(ratings).any() or np.bincount(code, minlength=n_patients).max() > 1:
        raise ValueError("unbiased covariances need one image a patient and every image read; use the jackknife")
    wins = np.stack([_wins(column[truth], column[~truth]) for column in ratings.T])  # (K, m, n)
    k, m, n = wins.shape
    if min(m, n) < 2:
        raise ValueError(f"unbiased covariances need two cases of each kind; got {m} present, {n} absent")
    flat = wins.reshape(k, -1)
    rows, columns, total = wins.sum(axis=2), wins.sum(axis=1), flat.sum(axis=1)
    same = flat @ flat.T
    same_positive, same_negative = rows @ rows.T - same, columns @ columns.T - same
    apart = np.outer(total, total) - same_positive - same_negative - same
    pairs = m * n
    # Products of two pairs with both, one and no image in common, each times its share of all products; less the
    # square of the expectation, which pairs that have nothing in common estimate without bias.
    everything = np.outer(total, total) / pairs**2
    return total / pairs, np.asarray(everything - apart / (pairs * (m - 1) * (n - 1)))


_METHODS: Mapping[Covariances, Callable[[Numbers, NDArray[np.bool_], Indices, int], tuple[Numbers, Numbers]]] = {
    Covariances.CLUSTERED: _clustered,
    Covariances.JACKKNIFE: _jackknife,
    Covariances.UNBIASED: _unbiased,
}
