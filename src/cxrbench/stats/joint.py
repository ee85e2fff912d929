"""AUCs of many models and findings with their joint, patient-clustered covariance.

Every AUC is a sum of patient contributions, so one matrix of covariances answers all questions: an AUC, a mean
over findings, the difference of two models, a gap between subgroups are linear combinations of its columns.

Source: Obuchowski 1997, doi:10.2307/2533958; with one image per patient it is DeLong 1988, doi:10.2307/2531595.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxrbench.stats.clusters import ClusterSizes, beside, numbered
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
    values, truth = checked_columns(scores, present)
    code, n_patients = _numbered(patients, len(values))
    return _joined([_contributions(values, truth, code, n_patients)], np.zeros((1, 1), dtype=bool))


def joint_group_aucs(
    scores: ArrayLike, present: ArrayLike, patients: ArrayLike, groups: Sequence[NDArray[np.bool_]]
) -> JointAucs:
    """AUC of every column in each of several groups of images, whose patients may be in more than one.

    The groups' columns and labels stand one after the other: K and L of the first group, then of the second. What the
    covariance would be if images were independent is not worked out between groups that share images: it is NaN.

    Args:
        scores: (N, K) as for ``joint_aucs``.
        present: (N, L) likewise.
        patients: (N,) likewise.
        groups: (N,) each: the images of a group.

    Raises:
        ValueError: As for ``joint_aucs``.
    """
    values, truth = checked_columns(scores, present)
    code, n_patients = _numbered(patients, len(values))
    apart = np.array([[not (one & other).any() for other in groups] for one in groups])
    return _joined([_contributions(values[own], truth[own], code[own], n_patients) for own in groups], apart)


def _numbered(patients: ArrayLike, images: int) -> tuple[Labels, int]:
    """Patients (N,) as numbers, and an upper bound of them."""
    if np.shape(patients) != (images,):
        raise ValueError(f"needs one patient per image: got {np.shape(patients)} for {images} images")
    return numbered(patients)


@dataclass(frozen=True)
class _Contributions:
    """What images and patients of one group add to each AUC; NaN where a class is absent.

    Attributes:
        auc: (K,).
        positive: (K, P) sums over each patient's positive images.
        negative: (K, P) sums over each patient's negative images.
        image: (K, K) products of the images alone, with DeLong's factors for their class.
        image_positive: (K, K) products of the positive images alone; within a label.
        sizes: Positive, negative and all stated images per patient, (L,) labels.
    """

    auc: Numbers
    positive: Numbers
    negative: Numbers
    image: Numbers
    image_positive: Numbers
    sizes: tuple[ClusterSizes, ...]


def _joined(groups: Sequence[_Contributions], apart: NDArray[np.bool_]) -> JointAucs:
    """The covariance of all groups' AUCs; ``apart`` (G, G) says which groups share no image."""
    columns, labels = len(groups[0].auc), groups[0].sizes[0].having.shape[1]
    label = np.concatenate([np.arange(columns) % labels + labels * number for number in range(len(groups))])
    positives, negatives, everyone = (beside(kind) for kind in zip(*(of.sizes for of in groups), strict=True))
    scale_positive, scale_negative, scale_both = (
        _root_factor(sizes.patients)[label] for sizes in (positives, negatives, everyone)
    )
    positive, negative = (
        np.concatenate(kind) for kind in zip(*((of.positive, of.negative) for of in groups), strict=True)
    )
    cross = np.outer(scale_both, scale_both) * (positive @ negative.T)
    auc = np.concatenate([of.auc for of in groups])
    # Nothing where no image is shared; an AUC that is not there has no covariance with any.
    between = np.where(np.kron(apart, np.ones((columns, columns), dtype=bool)), 0.0 * np.add.outer(auc, auc), np.nan)
    return JointAucs(
        auc=auc,
        label=label,
        positive=np.outer(scale_positive, scale_positive) * _products(positive),
        negative=np.outer(scale_negative, scale_negative) * _products(negative),
        cross=cross + cross.T,
        image_positive=_on_diagonal([of.image_positive for of in groups], np.full_like(between, np.nan)),
        image=_on_diagonal([of.image for of in groups], between),
        positives=positives,
        negatives=negatives,
    )


def _on_diagonal(blocks: Sequence[Numbers], whole: Numbers) -> Numbers:
    """Square blocks of one size along the diagonal of ``whole``."""
    size = len(blocks[0])
    for number, block in enumerate(blocks):
        own = slice(number * size, (number + 1) * size)
        whole[own, own] = block
    return whole


def _contributions(values: Floats, truth: Floats, code: Labels, n_patients: int) -> _Contributions:
    """How far each image's placement lies from the AUC, over the images of its class."""
    k, n = values.shape[1], len(values)
    label = np.arange(k) % truth.shape[1]
    auc, positive, negative, image, image_positive = (
        np.full(shape, np.nan) for shape in (k, (k, n_patients), (k, n_patients), (k, n), (k, k))
    )
    columns = np.ascontiguousarray(values.T)
    for this, of_label in enumerate(np.ascontiguousarray(truth.T)):
        stated = np.flatnonzero(~np.isnan(of_label))
        present = of_label[stated] == 1
        m, n = (int(np.count_nonzero(rows)) for rows in (present, ~present))
        if not (m and n):
            continue
        factors = np.where(present, *(_root_factor(np.array(units)) for units in (m, n)))
        patients, share = code[stated], np.where(present, 1 / m, 1 / n)
        own = np.flatnonzero(label == this)
        for column in own:
            placed = placements(columns[column].take(stated), present)
            auc[column] = placed[present].mean()
            deviation = (placed - auc[column]) * share
            for sums, rows in ((positive, present), (negative, ~present)):
                sums[column] = np.bincount(patients[rows], weights=deviation[rows], minlength=n_patients)
            image[column] = 0
            image[column, stated] = deviation * factors
        image_positive[np.ix_(own, own)] = _products(image[np.ix_(own, stated[present])])
    sizes = tuple(
        ClusterSizes.of(_images_per_patient(rows, code, n_patients))
        for rows in (truth == 1, truth == 0, ~np.isnan(truth))
    )
    return _Contributions(auc, positive, negative, _products(image), image_positive, sizes)


def _images_per_patient(rows: NDArray[np.bool_], code: Labels, n_patients: int) -> Labels:
    """Images per patient and label (P, L) among the ``rows`` (N, L) that count."""
    return np.stack([np.bincount(code[column], minlength=n_patients) for column in rows.T], axis=1)


def _root_factor(units: NDArray[np.intp]) -> Numbers:
    """Root of Obuchowski's factor I / (I - 1); NaN where there are fewer than two units."""
    factor = np.divide(units, units - 1, out=np.full(np.shape(units), np.nan), where=units > 1)
    return np.asarray(np.sqrt(factor))


def _products(rows: Numbers) -> Numbers:
    """Inner products (K, K) of the rows."""
    return np.asarray(rows @ rows.T)


def checked_columns(scores: ArrayLike, present: ArrayLike) -> tuple[Floats, Floats]:
    """Scores (N, K) as floats and labels (N, L) as 0, 1 or NaN.

    Raises:
        ValueError: Shapes do not fit, a score is NaN, or a label is neither 0, 1 nor NaN.
    """
    values, truth = _as_floats(scores), _as_floats(present)
    if values.ndim != 2 or truth.ndim != 2 or len(values) != len(truth) or values.shape[1] % truth.shape[1]:
        raise ValueError(
            f"needs scores (N, models x labels) and labels (N, labels); got {values.shape} and {truth.shape}"
        )
    _refuse(np.isnan(values), values, "scores must be numbers")
    _refuse(~(np.isnan(truth) | (truth == 0) | (truth == 1)), truth, "labels must be 0, 1 or NaN")
    return values, truth


def _as_floats(values: ArrayLike) -> Floats:
    """As they are if they are floating-point numbers, which costs no memory."""
    given = np.asarray(values)
    return given if np.issubdtype(given.dtype, np.floating) else given.astype(np.float64)


def _refuse(is_odd: NDArray[np.bool_], table: Floats, expected: str) -> None:
    """Name the first odd value, if there is one."""
    if is_odd.any():
        row, column = np.argwhere(is_odd)[0]
        raise ValueError(f"{expected}; row {row}, column {column} is {table[row, column]}")
