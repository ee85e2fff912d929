"""AUCs of many models and findings with their joint, patient-clustered covariance.

Every AUC is a sum of patient contributions, so one matrix of covariances answers all questions: an AUC, a mean
over findings, the difference of two models, a gap between subgroups are linear combinations of its columns.

Source: Obuchowski 1997, doi:10.2307/2533958; with one image per patient it is DeLong 1988, doi:10.2307/2531595.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxrbench.stats.clusters import ClusterSizes
from cxrbench.stats.placements import placements
from cxrbench.stats.sorting import Floats

Numbers = NDArray[np.float64]
Labels = NDArray[np.intp]


@dataclass(frozen=True)
class JointAucs:
    """AUCs of K columns of scores against L labels, and the parts of their covariance.

    The covariance of two AUCs is ``positive + negative + cross``: what patients contribute through their positive
    images, their negative images, and both together. NaN where it is unknown: a class is absent, or all its
    images are of one patient.

    Attributes:
        auc: (K,) areas; NaN where a class is absent.
        label: (K,) which label each column is scored against.
        positive: (K, K).
        negative: (K, K).
        cross: (K, K).
        image_positive: (K, K) the positive part if images were independent; filled only within a label.
        image: (K, K) the whole covariance if images were independent.
        positives: Positive images per patient, (L,) labels.
        negatives: Negative images per patient, (L,) labels.
    """

    auc: Numbers
    label: Labels
    positive: Numbers
    negative: Numbers
    cross: Numbers
    image_positive: Numbers
    image: Numbers
    positives: ClusterSizes
    negatives: ClusterSizes

    @property
    def covariance(self) -> Numbers:
        """Obuchowski's covariance (K, K)."""
        return self.positive + self.negative + self.cross


def joint_aucs(scores: ArrayLike, present: ArrayLike, patients: ArrayLike) -> JointAucs:
    """AUC of every column with the joint covariance, clustered by patient.

    Args:
        scores: (N, K) one column per model and finding, in any unit; higher means more likely present. Column k is
            scored against label ``k % L``: all findings of the first model, then of the second.
        present: (N, L) truth: 0, 1, or NaN where the label is not stated.
        patients: (N,) who each image shows: integers or strings.

    Raises:
        ValueError: Shapes do not fit, a score is NaN, or a label is neither 0, 1 nor NaN.
    """
    values, truth, code = _by_patient(*checked_columns(scores, present), patients)
    starts, label = np.flatnonzero(np.diff(code, prepend=-1)), np.arange(values.shape[1]) % truth.shape[1]
    positives, negatives, everyone = (
        ClusterSizes.of(np.add.reduceat(rows, starts, axis=0, dtype=np.intp))
        for rows in (truth == 1, truth == 0, ~np.isnan(truth))
    )
    auc, deviation = _deviations(values, truth, label)
    is_positive = (truth == 1)[:, label].T
    parts = np.where(is_positive, deviation, 0), np.where(is_positive, 0, deviation)  # each (K, N)
    image_positive = _scaled(parts[0], positives.images[label])
    image = image_positive + _scaled(parts[1], negatives.images[label])
    by_patient = [np.add.reduceat(part, starts, axis=1) for part in parts]  # each (K, P)
    both = [_scaled(part, everyone.patients[label]) for part in by_patient]
    return JointAucs(
        auc=auc,
        label=label,
        positive=_products(_scaled(by_patient[0], positives.patients[label])),
        negative=_products(_scaled(by_patient[1], negatives.patients[label])),
        cross=both[0] @ both[1].T + both[1] @ both[0].T,
        image_positive=_products(image_positive),
        image=_products(image),
        positives=positives,
        negatives=negatives,
    )


def _deviations(values: Floats, truth: Numbers, label: Labels) -> tuple[Numbers, Numbers]:
    """AUC (K,), and how far each image's placement lies from it, over the images of its class (K, N)."""
    auc = np.full(len(label), np.nan)
    deviation = np.full((len(label), len(values)), np.nan)
    columns = np.ascontiguousarray(values.T)
    for this, of_label in enumerate(truth.T):
        stated = np.flatnonzero(~np.isnan(of_label))
        present = of_label[stated] == 1
        if not 0 < (m := int(present.sum())) < len(present):
            continue
        share = np.where(present, 1 / m, 1 / (len(present) - m))
        for k in np.flatnonzero(label == this):
            placed = placements(columns[k].take(stated), present)
            auc[k] = placed[present].mean()
            deviation[k] = 0
            deviation[k, stated] = (placed - auc[k]) * share
    return auc, deviation


def _scaled(parts: Numbers, units: NDArray[np.intp]) -> Numbers:
    """Rows (K, units) times the root of Obuchowski's factor I / (I - 1); NaN where there are fewer than two."""
    factor = np.divide(units, units - 1, out=np.full(len(units), np.nan), where=units > 1)
    return np.asarray(parts * np.sqrt(factor)[:, None])


def _products(rows: Numbers) -> Numbers:
    """Inner products (K, K) of the rows."""
    return np.asarray(rows @ rows.T)


def _by_patient(values: Floats, truth: Numbers, patients: ArrayLike) -> tuple[Floats, Numbers, Labels]:
    """Rows brought together by patient, and each row's patient as a number from 0."""
    names = np.asarray(patients)
    if names.shape != (len(values),):
        raise ValueError(f"needs one patient per image: got {names.shape} for {len(values)} images")
    code = np.unique(names, return_inverse=True)[1].reshape(-1)
    rows = np.argsort(code, kind="stable")
    return values[rows], truth[rows], code[rows]


def checked_columns(scores: ArrayLike, present: ArrayLike) -> tuple[Floats, Numbers]:
    """Scores (N, K) as floats and labels (N, L) as 0, 1 or NaN.

    Raises:
        ValueError: Shapes do not fit, a score is NaN, or a label is neither 0, 1 nor NaN.
    """
    values, truth = np.asarray(scores), np.asarray(present, dtype=np.float64)
    if values.ndim != 2 or truth.ndim != 2 or len(values) != len(truth) or values.shape[1] % truth.shape[1]:
        raise ValueError(
            f"needs scores (N, models x labels) and labels (N, labels); got {values.shape} and {truth.shape}"
        )
    values = values if np.issubdtype(values.dtype, np.floating) else values.astype(np.float64)
    _refuse(np.isnan(values), values, "scores must be numbers")
    _refuse(~(np.isnan(truth) | (truth == 0) | (truth == 1)), truth, "labels must be 0, 1 or NaN")
    return values, truth


def _refuse(is_odd: NDArray[np.bool_], table: Floats, expected: str) -> None:
    """Name the first odd value, if there is one."""
    if is_odd.any():
        row, column = np.argwhere(is_odd)[0]
        raise ValueError(f"{expected}; row {row}, column {column} is {table[row, column]}")
