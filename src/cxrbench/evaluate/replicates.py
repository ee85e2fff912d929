"""Measures without a formula for their variance: drawn again with the patients, averaged, then given an interval.

The patients of the archive are drawn once for all splits. So what is averaged over re-samples is averaged in every
replicate too, and a patient who is in two test parts counts in both.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cxrbench.evaluate.columns import known, question
from cxrbench.stats.bootstrap import percentile_interval
from cxrbench.stats.clustered import MIN_PATIENTS

Replicates = NDArray[np.float32]
NO_REPLICATES: Replicates = np.zeros(0, np.float32)

NOT_DRAWN = "patients were not drawn again"
TOO_FEW = f"fewer than {MIN_PATIENTS} patients, or with or without the finding, in a test set"


@dataclass(frozen=True)
class Drawn:
    """A measure of one run, or a mean over several.

    Attributes:
        value: Value on the test images themselves.
        replicates: (B,) with the patients drawn again; empty where they were not, NaN where it is not defined.
        number: Parts that it is the mean of.
        models: Trained models behind it.
    """

    value: float
    replicates: Replicates = field(default_factory=lambda: NO_REPLICATES)
    number: int = 1
    models: int = 1


Key = tuple[str, ...]
Measures = Mapping[Key, Drawn]
"""Name of what is measured -> the measure."""


@dataclass(frozen=True)
class Interval:
    """A value with its percentile interval on new patients; None where there is none, with the reason."""

    value: float | None
    lower: float | None
    upper: float | None
    question: str
    reason: str | None


def averaged(parts: Iterable[Measures]) -> dict[Key, Drawn]:
    """Return the mean of each measure over the parts that have it."""
    sums: dict[Key, Drawn] = {}
    for part in parts:
        for key, own in part.items():
            before = sums.get(key)
            sums[key] = replace(own, number=1) if before is None else _sum(before, own)
    return {
        key: replace(total, value=total.value / total.number, replicates=total.replicates / np.float32(total.number))
        for key, total in sums.items()
    }


def _sum(before: Drawn, own: Drawn) -> Drawn:
    return Drawn(
        before.value + own.value, before.replicates + own.replicates, before.number + 1, before.models + own.models
    )


def interval(mean: Drawn) -> Interval:
    """Return the percentile interval; replicates in which the measure is not defined do not count."""
    asked = question(mean.models)
    if not mean.replicates.size:
        return Interval(known(mean.value), None, None, asked, NOT_DRAWN)
    lower, upper = (known(float(end)) for end in percentile_interval(mean.replicates))
    return Interval(known(mean.value), lower, upper, asked, TOO_FEW if lower is None else None)
