"""Splits drawn from the patients of a table: independent re-samples, and folds."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxrbench.splits.split import FOLD, RESAMPLE, Split, as_parts, check_disjoint


def resample_splits(
    table: pl.DataFrame, *, count: int = 5, fractions: tuple[float, float, float] = (0.7, 0.1, 0.2), seed: int = 0
) -> list[Split]:
    """Draw ``count`` independent splits of the patients.

    Args:
        table: One row per image, with ``patient_id``.
        count: How many.
        fractions: Shares of the patients for training, validation and test; they add up to 1.
        seed: Split k, from 1, draws from ``numpy.random.default_rng([seed, k])``.

    Raises:
        DataError: Too few patients for every part to have one.
    """
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"fractions must be three positive shares that add up to 1; got {fractions}")
    patients = sorted_patients(table)
    test, val = (round(share * len(patients)) for share in (fractions[2], fractions[1]))
    splits = []
    for k in range(1, count + 1):
        drawn = shuffled(patients, [seed, k])
        parts = as_parts(test=drawn[:test], val=drawn[test : test + val], train=drawn[test + val :])
        splits.append(_checked(Split(f"resample-{k}", RESAMPLE, seed, parts, fractions=fractions)))
    return splits


def fold_splits(
    table: pl.DataFrame, *, folds: int = 5, seed: int = 0, validation_fraction: float = 0.125
) -> list[Split]:
    """Cross-validation by patient: every patient is in the test part of exactly one fold.

    Args:
        table: One row per image, with ``patient_id``.
        folds: How many, at least 2.
        seed: The folds are cut from one permutation, ``default_rng([seed, 0])``; fold k draws its validation
            patients from ``default_rng([seed, k])``.
        validation_fraction: Share of the patients outside a fold that validate.

    Raises:
        DataError: Too few patients for every part to have one.
    """
    if folds < 2:
        raise ValueError(f"folds must be at least 2; got {folds}")
    patients = sorted_patients(table)
    splits = []
    for k, test in enumerate(np.array_split(shuffled(patients, [seed, 0]), folds), start=1):
        train, val = carve(np.setdiff1d(patients, test), validation_fraction, [seed, k])
        outside = 1 - 1 / folds
        fractions = (outside * (1 - validation_fraction), outside * validation_fraction, 1 / folds)
        parts = as_parts(train=train, val=val, test=test)
        splits.append(_checked(Split(f"fold-{k}", FOLD, seed, parts, fractions=fractions)))
    return splits


def sorted_patients(table: pl.DataFrame) -> NDArray[np.str_]:
    """(P,) patient ids, each once, sorted."""
    return np.array(sorted(table["patient_id"].unique()), dtype=np.str_)


def shuffled(patients: NDArray[np.str_], seed: list[int]) -> NDArray[np.str_]:
    """The patients in an order that depends on their number and the seed alone."""
    return patients[np.random.default_rng(seed).permutation(len(patients))]


def carve(patients: NDArray[np.str_], fraction: float, seed: list[int]) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """Take ``fraction`` of the sorted patients out; returns those who stay and those taken."""
    if not 0 < fraction < 1:
        raise ValueError(f"validation_fraction must be between 0 and 1; got {fraction}")
    drawn = shuffled(patients, seed)
    taken = round(fraction * len(patients))
    return drawn[taken:], drawn[:taken]


def _checked(split: Split) -> Split:
    """The split, once it is sure that no patient is on two sides and no part is empty."""
    check_disjoint(split)
    return split
