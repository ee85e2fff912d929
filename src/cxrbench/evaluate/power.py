"""What a test set can show: the smallest difference between two models that it would detect, before any training."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.special import ndtri

from cxrbench.config import Vocabulary
from cxrbench.errors import DataError
from cxrbench.evaluate.columns import FINDING, MEAN, REASON, STD_ERROR, number
from cxrbench.evaluate.discrimination import COUNTED
from cxrbench.evaluate.held_out import HeldOut, patient_numbers
from cxrbench.evaluate.truth import held_out, read_labels
from cxrbench.results import ResultTable
from cxrbench.stats.clustered import AucDifference, auc_difference
from cxrbench.stats.joint import joint_aucs
from cxrbench.stats.planning import detectable_difference, power_of_test, typical

ESTIMATED = (
    STD_ERROR,
    number("smallest_detectable", "Difference in AUC that a two-sided test at 5 % shows with a power of 80 %."),
    number("power", "Chance that such a test shows the given difference."),
)
POWER_TABLE = ResultTable("power.csv", "One row per finding.", (FINDING, *COUNTED, *ESTIMATED, REASON))


HIGHEST = 0.995
"""AUC of the better model at most."""


@dataclass(frozen=True)
class Assumptions:
    """Two models as they may turn out; what a test set can show depends on them."""

    auc: float = 0.8
    """AUC of the worse model, every finding."""
    correlation: float = 0.8
    """Between the scores of the two models on images of one class."""
    patient_share: float = 0.3
    """Share of a score's variance, on images of one class, that belongs to the patient."""
    replicates: int = 10
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

    Scores of two models that differ are drawn on the labels and patients as they are. The standard error of their
    difference gives the power of a two-sided test at 5 %, by the noncentral t, for ``difference``, and the smallest
    difference that it shows with a power of 80 %.

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
    width, simulate = len(truth.findings), partial(_drawn, truth, assumptions, seed=seed)
    # A better model varies less, so what can be detected is worked out for models that differ by about as much.
    nearly = {name: _detectable(found) for name, found in simulate(np.zeros(width)).items()}
    alone = simulate(np.array([nearly[name] for name in truth.findings]))
    detectable = {**alone, MEAN: simulate(np.full(width, nearly[MEAN]))[MEAN]}
    rows = [
        {"finding": name, **truth.counts(name), **_row(found, detectable[name], difference)}
        for name, found in simulate(np.full(width, difference)).items()
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


def _drawn(
    truth: HeldOut, assumptions: Assumptions, differences: np.ndarray, *, seed: int
) -> dict[str, list[AucDifference]]:
    """Simulate two models whose AUCs differ by ``differences`` (L,): by finding, and of their means."""
    rng = np.random.default_rng(seed)
    drawn = [_simulated(truth, assumptions, differences, rng) for _ in range(assumptions.replicates)]
    return {name: [one[name] for one in drawn] for name in drawn[0]}


def _detectable(drawn: Sequence[AucDifference]) -> float:
    """Return the smallest difference that would be detected; 0 where that is not known."""
    precisions = [one.precision for one in drawn if one.precision is not None]
    return detectable_difference(typical(precisions)) if precisions else 0.0


def _simulated(
    truth: HeldOut, assumptions: Assumptions, differences: np.ndarray, rng: np.random.Generator
) -> dict[str, AucDifference]:
    """Simulate the difference of two models on the truth as it is: per finding, and of their means."""
    patient = patient_numbers(truth.images)
    n_patients = int(patient.max(initial=-1)) + 1
    shape = (len(patient), len(truth.findings))
    better = np.minimum(assumptions.auc + differences, HIGHEST)  # (L,)
    present = truth.labels == 1
    signals = [np.sqrt(2) * ndtri(auc) * present for auc in (better, assumptions.auc)]  # binormal, equal variances

    def noise(share: float) -> np.ndarray:
        """Unit variance (N, L), some of it the patient's."""
        own, shared = rng.standard_normal(shape), rng.standard_normal((n_patients, shape[1]))[patient]
        return np.asarray(np.sqrt(1 - share) * own + np.sqrt(share) * shared)

    share, r = assumptions.patient_share, assumptions.correlation
    common = noise(share)
    models = [signal + np.sqrt(r) * common + np.sqrt(1 - r) * noise(share) for signal in signals]
    joint = joint_aucs(np.concatenate(models, axis=1).astype(np.float32), truth.labels, patient)
    width, places = len(truth.findings), {name: truth.columns(name) for name in (*truth.findings, MEAN)}
    return {name: auc_difference(joint, at, [column + width for column in at]) for name, at in places.items()}


def _row(drawn: Sequence[AucDifference], at_detectable: Sequence[AucDifference], difference: float) -> dict[str, Any]:
    """Return one finding's row, averaged over the simulations."""
    without = [one.reason for one in (*drawn, *at_detectable) if one.precision is None]
    if without:
        return {"reason": without[0]}
    precision = typical([one.precision for one in drawn if one.precision is not None])
    return {
        "std_error": precision.std_error,
        "smallest_detectable": _detectable(at_detectable),
        "power": power_of_test(difference, precision),
    }
