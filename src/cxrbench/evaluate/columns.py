"""Columns that result tables share, and the words in them."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from cxrbench.results import Column
from cxrbench.stats.clustered import AucEstimate

ALL = "all"
"""The group of all images."""
MEAN = "mean"
"""Stands for a finding: the mean over the pathologies; in the paper "No Finding" is left out."""

NEW_PATIENTS = "this model on new patients"
"""The question that an interval on one test set answers."""
NEW_PATIENTS_OF_SEVERAL = "these models on new patients"
"""The question that an interval of a mean over several models answers: seeds, or one of each split."""
NEW_TRAINING_SETS = "this recipe on new training sets"
"""The question that an interval over re-samples answers."""


def text(name: str, meaning: str) -> Column:
    """Return a column of words."""
    return Column(name, pl.String, meaning)


def number(name: str, meaning: str) -> Column:
    """Return a column of real numbers."""
    return Column(name, pl.Float64, meaning)


def count(name: str, meaning: str) -> Column:
    """Return a column of whole numbers."""
    return Column(name, pl.Int64, meaning)


APPROACH = text("approach", "Name of the approach.")
SPLIT = text("split", "Name of the split; `given` for files of predictions.")
KIND = text("kind", "Kind of split: `resample`, `fold`, `official`, or `given` for files of predictions.")
SEED = count("seed", "Seed of the run; empty where several are averaged.")
RUN = (APPROACH, SPLIT, KIND, SEED)
"""Which run a row tells of, and on which kind of split."""

APPROACH_A = text("approach_a", "Approach that the other one is compared with.")
APPROACH_B = text("approach_b", "The other approach.")

GROUP = text(
    "group",
    "`all`, or images of one view, sex or age band in years: `view=PA`, `sex=F`, `age=18-39` (both ends included). "
    "An image whose value is unknown is in `all` alone.",
)
FINDING = text("finding", "Finding, or `mean`: the mean over the pathologies, without `No Finding`.")
ONE_FINDING = text("finding", "Finding.")
CALIBRATION = text(
    "calibration", "`none`: probabilities as they are; `platt`: calibrated on the validation images by Platt's method."
)

QUESTION = text("question", "Question that the interval answers; see above.")
IMAGES = count("images", "Images whose label is stated; of `mean`, all images of the group.")
POSITIVES = count("positives", "Images with the finding; empty for `mean`.")
POSITIVE_PATIENTS = count("positive_patients", "Patients with such an image; empty for `mean`.")
SPLITS = count("splits", "Splits that the value is a mean over.")
STD_ERROR = number("std_error", "Standard error; empty without an interval.")
LOWER = number("lower", "Lower end of the 95 % interval; empty where there is none.")
UPPER = number("upper", "Upper end of the 95 % interval; empty where there is none.")
P_VALUE = number("p_value", "Two-sided p-value that the difference is nil, 0 to 1; empty without an interval.")
INFLATION = number(
    "inflation", "Variance, divided by the one that takes a patient's images as independent; empty without an interval."
)
SMALLEST_DETECTABLE = number(
    "smallest_detectable", "Difference that such data would show with a power of 80 %; empty without an interval."
)
FINDINGS_COUNTED = count(
    "findings_counted", "Pathologies in a mean; the others lack a class there. Empty for a single finding."
)
REASON = text("reason", "Why a value or an interval is missing; else empty.")
SEEN = Column(
    "test_films_seen_by_weights",
    pl.Int64,
    "Test images that the pre-trained weights of the row's approach saw before. Over several splits or approaches, "
    "the most of one. Empty where it is not known.",
    is_added=True,
)

INTERVAL = (LOWER, UPPER)


def names_of(columns: Iterable[Column]) -> tuple[str, ...]:
    """Return the names of columns."""
    return tuple(column.name for column in columns)


def question(models: int) -> str:
    """Return the question that an interval for new patients answers of so many trained models."""
    return NEW_PATIENTS if models == 1 else NEW_PATIENTS_OF_SEVERAL


def support(found: AucEstimate, finding: str) -> dict[str, int]:
    """Return the positive images and patients that an estimate rests on; nothing for a mean, which has several."""
    if finding == MEAN:
        return {}
    return {"positives": found.positives, "positive_patients": found.positive_patients}


def known(value: float) -> float | None:
    """Return the number, or None for NaN."""
    return None if np.isnan(value) else value


def known_values(found: Any, columns: Iterable[Column], **renamed: str) -> dict[str, float | None]:
    """Return attributes of an estimate by the columns that they fill; NaN becomes None.

    Args:
        found: The estimate.
        columns: Columns to fill.
        renamed: Column -> attribute, where the two have different names.
    """
    return {name: known(getattr(found, renamed.get(name, name))) for name in names_of(columns)}
