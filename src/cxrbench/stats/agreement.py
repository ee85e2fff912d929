"""Agreement between readers beyond chance, with a patient bootstrap, and the consensus of a reader's colleagues.

Reads are codes 0 to C - 1 of categories, in their order if they have one; NaN where a reader did not read an image.
Cohen's and Fleiss's kappa need complete reads and leave out images that lack one. Krippendorff's alpha uses whatever
two readers share.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxrbench.stats.bootstrap import percentile_interval, resample_patients, sum_replicates
from cxrbench.stats.clustered import MIN_PATIENTS
from cxrbench.stats.clusters import numbered

Numbers = NDArray[np.float64]


class Distance(StrEnum):
    """How far two categories are apart."""

    NOMINAL = "nominal"
    """Equal or not."""
    LINEAR = "linear"
    """Steps between their codes."""
    QUADRATIC = "quadratic"
    """Squared steps; for alpha this is the interval scale."""
    ORDINAL = "ordinal"
    """Reads that lie between them, squared; alpha alone."""


@dataclass(frozen=True)
class Agreement:
    """A coefficient of agreement: 1 is perfect, 0 what chance gives; NaN where it does not exist.

    Attributes:
        estimate: The coefficient.
        lower: Lower end of the percentile interval over patients.
        upper: Upper end.
        images: Images that entered.
        patients: Patients whom they show.
        reason: Why there is no interval, or None.
    """

    estimate: float
    lower: float
    upper: float
    images: int
    patients: int
    reason: str | None = None


def cohen_kappa(reads: ArrayLike, *, distance: Distance = Distance.NOMINAL) -> float:
    """Cohen's kappa of two readers; weighted by the distance of categories unless nominal.

    Args:
        reads: (N, 2) codes; NaN where not read.
        distance: Weight of a disagreement; not ``ORDINAL``.

    Raises:
        ValueError: There are not two readers, or a code is no whole number of 0 or more.

    Source: doi:10.1177/001316446002000104; weighted: doi:10.1037/h0026256.
    """
    codes = _checked(reads)
    table, finish = _cohen(codes, distance)
    return float(finish(table.sum(axis=0)[None])[0])


def fleiss_kappa(reads: ArrayLike) -> float:
    """Fleiss's kappa of two readers or more who read every image.

    Args:
        reads: (N, J) codes; NaN where not read.

    Raises:
        ValueError: Fewer than two readers, or a code is no whole number of 0 or more.

    Source: doi:10.1037/h0031619.
    """
    table, finish = _fleiss(_checked(reads), Distance.NOMINAL)
    return float(finish(table.sum(axis=0)[None])[0])


def krippendorff_alpha(reads: ArrayLike, *, distance: Distance = Distance.NOMINAL) -> float:
    """Krippendorff's alpha of two readers or more; reads may be missing.

    Args:
        reads: (N, J) codes; NaN where not read.
        distance: Scale of the reads; ``QUADRATIC`` is the interval scale, ``ORDINAL`` the ordinal one.

    Raises:
        ValueError: Fewer than two readers, or a code is no whole number of 0 or more.

    Source: Krippendorff 2011, https://repository.upenn.edu/asc_papers/43; doi:10.1080/19312450709336664.
    """
    table, finish = _alpha(_checked(reads), distance)
    return float(finish(table.sum(axis=0)[None])[0])


class Coefficient(StrEnum):
    """Coefficients of agreement."""

    COHEN = "cohen"
    FLEISS = "fleiss"
    KRIPPENDORFF = "krippendorff"


def agreement(
    reads: ArrayLike,
    patients: ArrayLike,
    coefficient: Coefficient,
    *,
    distance: Distance = Distance.NOMINAL,
    replicates: int = 2000,
    seed: int = 0,
) -> Agreement:
    """A coefficient with its 95 % interval on new patients, these readers given.

    Args:
        reads: (N, J) codes; NaN where not read.
        patients: (N,) who each image shows.
        coefficient: Which one.
        distance: As for that coefficient.
        replicates: Bootstrap replicates.
        seed: Seed of the draws.

    Raises:
        ValueError: As for that coefficient, or patients do not fit.
    """
    codes = _checked(reads)
    code, _ = numbered(patients)
    if code.shape != codes.shape[:1]:
        raise ValueError(f"needs one patient per image: got {code.shape} for {len(codes)} images")
    table, finish = _METHODS[coefficient](codes, distance)
    counts = table.any(axis=1)
    estimate = float(finish(table.sum(axis=0)[None])[0])
    n_patients = len(np.unique(code[counts]))
    reason = f"{n_patients} patients; an interval needs {MIN_PATIENTS}" if n_patients < MIN_PATIENTS else None
    if reason is None and np.isnan(estimate):
        reason = "all reads are of one category"
    lower = upper = np.nan
    if reason is None:
        drawn = sum_replicates(table, resample_patients(code, replicates=replicates, seed=seed))
        lower, upper = (float(end) for end in percentile_interval(finish(drawn)))
    return Agreement(estimate, lower, upper, int(counts.sum()), n_patients, reason)


def leave_one_out_consensus(reads: ArrayLike, *, tie: float = np.nan) -> Numbers:
    """Truth for each reader (N, J): the majority of the others, 0 or 1, so that nobody is judged by their own word.

    Args:
        reads: (N, J) 0 or 1; NaN where not read.
        tie: Truth where as many say 0 as 1; NaN leaves such images out.

    Returns:
        (N, J): NaN where no other reader read the image.

    Raises:
        ValueError: Fewer than two readers, or a read is neither 0, 1 nor NaN.
    """
    codes = _checked(reads)
    if np.nanmax(codes, initial=0) > 1:
        raise ValueError(f"a majority needs reads of 0 or 1; got {np.nanmax(codes):g}: choose a threshold first")
    votes = np.nan_to_num(2 * codes - 1)  # one for present, minus one for absent
    balance = votes.sum(axis=1, keepdims=True) - votes
    others = (votes != 0).sum(axis=1, keepdims=True) - (votes != 0)
    truth = np.select([others == 0, balance > 0, balance < 0], [np.nan, 1.0, 0.0], default=tie)
    return np.asarray(truth)


_Finish = Callable[[Numbers], Numbers]
"""Sums over images of each replicate (B, S) -> the coefficient (B,)."""


def _cohen(codes: Numbers, distance: Distance) -> tuple[Numbers, _Finish]:
    """Cell of the readers' table of each image (N, C * C), and the coefficient from its sums."""
    if codes.shape[1] != 2:
        raise ValueError(f"Cohen's kappa is of two readers; got {codes.shape[1]}: use Fleiss's or Krippendorff's")
    categories, both = _categories(codes), ~np.isnan(codes).any(axis=1)
    cells = np.zeros((len(codes), categories**2))
    cells[np.flatnonzero(both), (codes[both] @ [categories, 1]).astype(np.intp)] = 1
    weights = _weights(categories, distance)

    def finish(sums: Numbers) -> Numbers:
        tables = sums.reshape(-1, categories, categories)
        n = tables.sum(axis=(1, 2))
        chance = np.einsum("bc,bd,cd->b", tables.sum(axis=2), tables.sum(axis=1), weights)
        return 1 - _ratio(np.einsum("bcd,cd->b", tables, weights) * n, chance)

    return cells, finish


def _fleiss(codes: Numbers, distance: Distance) -> tuple[Numbers, _Finish]:
    """Votes for each category and agreeing pairs of each image (N, C + 1), and the coefficient from their sums."""
    if distance is not Distance.NOMINAL:
        raise ValueError(f"Fleiss's kappa is nominal; got {distance}: use Krippendorff's alpha")
    j = codes.shape[1]
    votes = _votes(codes) * ~np.isnan(codes).any(axis=1, keepdims=True)
    pairs = (votes * (votes - 1)).sum(axis=1, keepdims=True)

    def finish(sums: Numbers) -> Numbers:
        shares = sums[:, :-1] / sums[:, :-1].sum(axis=1, keepdims=True)
        found = sums[:, -1] / (sums[:, :-1].sum(axis=1) * (j - 1))
        chance = (shares**2).sum(axis=1)
        return _ratio(found - chance, 1 - chance)

    return np.concatenate([votes, pairs], axis=1), finish


def _alpha(codes: Numbers, distance: Distance) -> tuple[Numbers, _Finish]:
    """Coincidences of each image (N, C * C), and the coefficient from their sums."""
    votes = _votes(codes)
    read, categories = votes.sum(axis=1, keepdims=True), votes.shape[1]
    pairs = votes[:, :, None] * votes[:, None, :]
    pairs[:, range(categories), range(categories)] -= votes
    coincidences = pairs.reshape(len(votes), -1) / np.maximum(read - 1, 1)

    def finish(sums: Numbers) -> Numbers:
        tables = sums.reshape(-1, categories, categories)
        of_category = tables.sum(axis=2)
        n = of_category.sum(axis=1)
        weights = _ordinal(of_category) if distance is Distance.ORDINAL else _weights(categories, distance)[None]
        expected = (of_category[:, :, None] * of_category[:, None, :] * weights).sum(axis=(1, 2))
        return 1 - _ratio((tables * weights).sum(axis=(1, 2)) * (n - 1), expected)

    return coincidences, finish


_METHODS: dict[Coefficient, Callable[[Numbers, Distance], tuple[Numbers, _Finish]]] = {
    Coefficient.COHEN: _cohen,
    Coefficient.FLEISS: _fleiss,
    Coefficient.KRIPPENDORFF: _alpha,
}


def _checked(reads: ArrayLike) -> Numbers:
    """Codes (N, J) of two readers or more."""
    codes = np.asarray(reads, dtype=np.float64)
    if codes.ndim != 2 or codes.shape[1] < 2:
        raise ValueError(f"agreement needs images x readers, two readers or more; got shape {codes.shape}")
    odd = np.argwhere(~np.isnan(codes) & ((codes < 0) | (codes % 1 != 0)))
    if len(odd):
        row, column = odd[0]
        raise ValueError(f"reads must be whole numbers from 0; row {row}, reader {column} is {codes[row, column]:g}")
    return codes


def _categories(codes: Numbers) -> int:
    return int(np.nanmax(codes, initial=0)) + 1


def _votes(codes: Numbers) -> Numbers:
    """Readers who chose each category (N, C)."""
    return np.asarray((codes[:, :, None] == np.arange(_categories(codes))).sum(axis=1), dtype=np.float64)


def _weights(categories: int, distance: Distance) -> Numbers:
    """Weight (C, C) of disagreement between two categories."""
    steps = np.abs(np.subtract.outer(np.arange(categories), np.arange(categories))).astype(np.float64)
    if distance is Distance.ORDINAL:
        raise ValueError("ordinal distances depend on all reads: use Krippendorff's alpha, or quadratic weights")
    power = {Distance.NOMINAL: 0, Distance.LINEAR: 1, Distance.QUADRATIC: 2}[distance]
    return np.where(steps > 0, steps**power, 0.0)


def _ordinal(of_category: Numbers) -> Numbers:
    """Squared number of reads between two categories, half of their own included, (B, C, C)."""
    middles = np.cumsum(of_category, axis=1) - of_category / 2
    return np.asarray((middles[:, :, None] - middles[:, None, :]) ** 2)


def _ratio(above: Numbers, below: Numbers) -> Numbers:
    """Quotient, NaN where nothing is below."""
    return np.asarray(np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below > 0))
