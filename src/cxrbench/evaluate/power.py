"""What a test set can show: the smallest difference between two models that it would detect, before any training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.special import ndtri

from cxrbench.config import Vocabulary
from cxrbench.errors import DataError
from cxrbench.evaluate.columns import FINDING, MEAN, REASON, STD_ERROR, known, number
from cxrbench.evaluate.discrimination import COUNTED
from cxrbench.evaluate.held_out import HeldOut, patient_numbers
from cxrbench.evaluate.truth import held_out, read_labels
from cxrbench.results import ResultTable
from cxrbench.stats import student
from cxrbench.stats.clustered import AucDifference, auc_difference
from cxrbench.stats.joint import joint_aucs

ESTIMATED = (
    STD_ERROR,
    number("smallest_detectable", "Difference in AUC that a two-sided test at 5 % shows with a power of 80 %."),
    number("power", "Chance that such a test shows the given difference."),
)
POWER_TABLE = ResultTable("power.csv", "One row per finding.", (FINDING, *COUNTED, *ESTIMATED, REASON))


@dataclass(frozen=True)
class Assumptions:
    """Two models as they may turn out; what a test set can show depends on them."""

    auc: float = 0.8
    """AUC of both models, every finding."""
    correlation: float = 0.8
    """Between the scores of the two models on images of one class."""
    patient_share: float = 0.3
    """Share of a score's variance, on images of one class, that belongs to the patient."""
    replicates: int = 5
    """Simulations that are averaged."""


def power(
    labels: Path,
    *,
    difference: float = 0.01,
    table_format: Path | None = None,
    images: Path | None = None,
    assumptions: Assumptions = Assumptions(),
    vocabulary: Vocabulary | None = None,
    seed: int = 0,
) -> pl.DataFrame:
    """Return what the paired, clustered test would show of two models on these labels.

    Scores of two equally good models are drawn on the labels and patients as they are; the standard error of their
    difference gives the smallest difference that a two-sided test at 5 % shows with a power of 80 %, and the power
    for ``difference``.

    Args:
        labels: The release's label file, or a study's ``table.parquet``.
        difference: Difference in AUC, such as 0.01.
        table_format: YAML that names the columns of a label file that is not NIH's.
        images: Names of the test images, one a line; all images of ``labels`` unless given.
        assumptions: Assumptions about the two models.
        vocabulary: Findings to read; those of the format unless given.
        seed: Seed of the simulation.

    Returns:
        One row per finding and one for the mean over the pathologies.

    Raises:
        DataError: A file cannot be read.
        ValueError: An assumption or the difference is out of range.
    """
    _check(difference, assumptions)
    truth_file = read_labels(labels, table_format=table_format, vocabulary=vocabulary)
    chosen = truth_file.table["image_id"] if images is None else _listed(images, truth_file.table)
    truth = held_out(truth_file, chosen, truth_file.findings)
    rng = np.random.default_rng(seed)
    drawn = [_simulated(truth, assumptions, rng) for _ in range(assumptions.replicates)]
    rows = [
        {"finding": name, **truth.counts(name), **_row([one[name] for one in drawn], difference)} for name in drawn[0]
    ]
    return POWER_TABLE.frame(rows)


def _check(difference: float, assumptions: Assumptions) -> None:
    if not 0 < difference < 0.5:
        raise ValueError(f"difference must be between 0 and 0.5; got {difference}")
    if not 0.5 <= assumptions.auc < 1:
        raise ValueError(f"auc must be from 0.5 to below 1; got {assumptions.auc}")
    if not (0 <= assumptions.correlation < 1 and 0 <= assumptions.patient_share < 1):
        raise ValueError(f"correlation and patient_share must be from 0 to below 1; got {assumptions}")


def _listed(path: Path, table: pl.DataFrame) -> pl.Series:
    """Return the images that a list names."""
    try:
        names = pl.Series(path.read_text(encoding="utf-8").split(), dtype=pl.String)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    known_names = table["image_id"].filter(table["image_id"].is_in(names.implode()))
    if known_names.len() < names.n_unique():
        strangers = names.filter(~names.is_in(known_names.implode()))
        raise DataError(f"{path}: {strangers.len():,} images have no label (first: {next(iter(strangers), '')})")
    return known_names


def _simulated(truth: HeldOut, assumptions: Assumptions, rng: np.random.Generator) -> dict[str, AucDifference]:
    """Simulate the difference of two equally good models on the truth as it is: per finding, and of their means."""
    patient = patient_numbers(truth.images)
    n_patients = int(patient.max(initial=-1)) + 1
    shape = (len(patient), len(truth.findings))
    separation = np.sqrt(2) * ndtri(assumptions.auc)  # binormal, equal variances
    signal = separation * (truth.labels == 1)

    def noise(share: float) -> np.ndarray:
        """Unit variance (N, L), some of it the patient's."""
        own, shared = rng.standard_normal(shape), rng.standard_normal((n_patients, shape[1]))[patient]
        return np.asarray(np.sqrt(1 - share) * own + np.sqrt(share) * shared)

    share, r = assumptions.patient_share, assumptions.correlation
    common = noise(share)
    models = [signal + np.sqrt(r) * common + np.sqrt(1 - r) * noise(share) for _ in range(2)]
    joint = joint_aucs(np.concatenate(models, axis=1).astype(np.float32), truth.labels, patient)
    width, places = len(truth.findings), {name: truth.columns(name) for name in (*truth.findings, MEAN)}
    return {name: auc_difference(joint, at, [column + width for column in at]) for name, at in places.items()}


def _row(drawn: Sequence[AucDifference], difference: float) -> dict[str, Any]:
    """Return one finding's row, averaged over the simulations."""
    first = drawn[0]
    std_error, df, smallest = (
        float(np.mean([getattr(one, name) for one in drawn])) for name in ("std_error", "df", "smallest_detectable")
    )
    return {
        "std_error": known(std_error),
        "smallest_detectable": known(smallest),
        "power": None if np.isnan(std_error) else _power(difference / std_error, df),
        "reason": first.reason,
    }


def _power(standard_errors: float, df: float) -> float:
    """Chance that a two-sided t-test at 5 % shows a difference of so many standard errors."""
    critical = float(student.half_width(0.95, df))
    both_tails = student.cumulative(np.array([standard_errors - critical, -standard_errors - critical]), df)
    return float(both_tails.sum())
