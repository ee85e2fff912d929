"""Patient bootstrap: patients are drawn with replacement, with all their images.

A replicate is not built; each patient counts as often as it was drawn. So rows are sorted once, and all replicates are
computed together as sums of multiplicities.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxrbench.stats.clusters import known_patients

Numbers = NDArray[np.float64]
Multiplicities = NDArray[np.uint8]

CHUNK = 32
"""Replicates computed at a time: the memory does not grow with their number."""
MOST_BYTES = 2**28
"""Multiplicities that are kept as floats, once cast, take no more than this."""


@dataclass(frozen=True)
class Resamples:
    """How often each patient was drawn in each replicate.

    Attributes:
        code: (N,) patient of each image, numbered from 0 in sorted order.
        multiplicities: (P, B) uint8: nobody is drawn 256 times (odds below 1 to 10^400).
    """

    code: NDArray[np.intp]
    multiplicities: Multiplicities

    @cached_property
    def cast(self) -> Numbers | None:
        """The multiplicities as floats, made once; None where they would fill more than ``MOST_BYTES``."""
        if self.multiplicities.size * 8 > MOST_BYTES:
            return None
        return self.multiplicities.astype(np.float64)

    @property
    def replicates(self) -> int:
        """Their number, B."""
        return int(self.multiplicities.shape[1])

    def of_rows(self, rows: NDArray[np.intp]) -> "Resamples":
        """The same draws, for some of the images only: those with a stated label."""
        part = Resamples(self.code[rows], self.multiplicities)
        part.__dict__["cast"] = self.cast  # made once for all findings
        return part

    def first(self, replicates: int) -> "Resamples":
        """The first replicates alone."""
        return Resamples(self.code, self.multiplicities[:, :replicates])


def resample_patients(
    patients: ArrayLike, *, replicates: int = 2000, seed: int = 0, rows: NDArray[np.intp] | None = None
) -> Resamples:
    """Draw as many patients as there are, with replacement, ``replicates`` times; the same seed draws the same.

    Args:
        patients: (N,) who each image shows: integers or strings.
        replicates: B.
        seed: Of the draws.
        rows: Images of one part of an archive: the patients of all are drawn, those with none in it are not kept.

    Raises:
        ValueError: A patient is NaN or None.

    Source: doi:10.1111/j.1467-9868.2007.00593.x.
    """
    names, everyone = np.unique(known_patients(patients), return_inverse=True)
    kept, code = np.unique(everyone if rows is None else everyone[rows], return_inverse=True)
    n, rng = len(names), np.random.default_rng(seed)
    multiplicities = np.empty((len(kept), replicates), np.uint8)
    for at in range(0, replicates, CHUNK):  # one by one, each would be written across the whole array
        chunk = multiplicities[:, at : at + CHUNK]
        drawn = [np.bincount(rng.integers(n, size=n), minlength=n)[kept] for _ in range(chunk.shape[1])]
        chunk[:] = np.transpose(drawn)
    return Resamples(code.reshape(-1), multiplicities)


def sum_replicates(values: ArrayLike, resamples: Resamples) -> Numbers:
    """Sums over images of each replicate, (B, S), of ``values`` (N, S); whatever is a ratio of sums follows from them.

    Args:
        values: (N, S); set what does not count (label not stated) to 0.
        resamples: Of the same N images.
    """
    columns, drawn = np.asarray(values, dtype=np.float64), resamples.multiplicities
    by_patient = np.stack([
        np.bincount(resamples.code, weights=column, minlength=len(drawn)) for column in columns.T
    ])  # (S, P)  # fmt: skip
    sums = np.empty((drawn.shape[1], len(by_patient)))
    cast = resamples.cast
    if cast is not None:
        return np.asarray((by_patient @ cast).T)
    for at in range(0, drawn.shape[1], CHUNK):
        sums[at : at + CHUNK] = (by_patient @ drawn[:, at : at + CHUNK].astype(np.float64)).T
    return sums


def stacked_sums(tables: Sequence[ArrayLike], resamples: Resamples) -> list[Numbers]:
    """``sum_replicates`` of several tables (N, S) at once: the multiplicities are read and cast only once.

    Args:
        tables: One for each measure.
        resamples: Of the same N images.
    """
    columns = [np.asarray(table, dtype=np.float64).reshape(len(resamples.code), -1) for table in tables]
    sums = sum_replicates(np.concatenate(columns, axis=1), resamples)
    return np.split(sums, np.cumsum([table.shape[1] for table in columns])[:-1], axis=1)


def percentile_interval(replicates: ArrayLike, *, confidence: float = 0.95) -> tuple[Numbers, Numbers]:
    """Lower and upper ends over the first axis; replicates that are NaN (a class was not drawn) do not count."""
    values = np.asarray(replicates, dtype=np.float64)
    tail = (1 - confidence) / 2
    is_empty = np.isnan(values).all(axis=0)
    lower, upper = np.nanquantile(np.where(is_empty, 0, values), [tail, 1 - tail], axis=0)
    return np.where(is_empty, np.nan, lower), np.where(is_empty, np.nan, upper)
