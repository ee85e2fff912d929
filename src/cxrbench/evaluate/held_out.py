"""Images that models are measured on: their labels, their patients, and what models say about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxrbench.config import Vocabulary
from cxrbench.evaluate.columns import MEAN
from cxrbench.runs import TABLE_COLUMNS, RunName

Labels = NDArray[np.float32]
"""(N, L) 1 present, 0 absent, NaN not stated."""


def findings_of(table: pl.DataFrame) -> tuple[str, ...]:
    """Return the names of a table's label columns."""
    return tuple(name for name in table.columns if name not in TABLE_COLUMNS)


def labels_of(images: pl.DataFrame, findings: Sequence[str]) -> Labels:
    """Return the labels (N, L) of some rows of a table."""
    return np.asarray(images.select(pl.col(findings).cast(pl.Float32).fill_null(np.nan)).to_numpy())


def patient_numbers(images: pl.DataFrame) -> NDArray[np.intp]:
    """Return each image's patient (N,) as a number from 0, in the order of the patients' names."""
    return (images["patient_id"].rank("dense") - 1).to_numpy().astype(np.intp)


@dataclass(frozen=True)
class HeldOut:
    """Images that models were not trained on, in one order for all of them, and their truth.

    Attributes:
        split: Name of the split.
        kind: Kind of the split.
        images: N rows of the table, sorted by ``image_id``.
        vocabulary: Findings that are measured, in the order of the labels' columns.
        labels: (N, L) 1 present, 0 absent, NaN not stated.
    """

    split: str
    kind: str
    images: pl.DataFrame
    vocabulary: Vocabulary
    labels: Labels

    @property
    def findings(self) -> tuple[str, ...]:
        """Names of the findings."""
        return self.vocabulary.names

    @property
    def pathologies(self) -> tuple[str, ...]:
        """Names of the findings that count in the mean."""
        return self.vocabulary.pathologies

    @cached_property
    def patients(self) -> np.ndarray:
        """(N,) patient ids."""
        return self.images["patient_id"].to_numpy()

    @cached_property
    def codes(self) -> NDArray[np.intp]:
        """(N,) each image's patient as a number from 0, in order of appearance.

        So numbers ascend where a patient's images stand together, and what sorts them has little to do.
        """
        _, first, code = np.unique(patient_numbers(self.images), return_index=True, return_inverse=True)
        place = np.empty(len(first), np.intp)
        place[np.argsort(first)] = np.arange(len(first))
        return place[code.reshape(-1)]

    def columns(self, finding: str) -> list[int]:
        """Return the finding's column, or those that a mean is over."""
        averaged = self.pathologies if finding == MEAN else (finding,)
        return [self.findings.index(name) for name in averaged]

    def stated_rows(self, column: int) -> NDArray[np.intp]:
        """Return the images whose label of one finding is stated."""
        return np.flatnonzero(~np.isnan(self.labels[:, column]))

    def stated(self, values: np.ndarray, column: int) -> tuple[np.ndarray, NDArray[np.bool_]]:
        """Return values and truth of one finding, of the images whose label is stated.

        Args:
            values: (N, L) scores of the images.
            column: Column of the finding.
        """
        rows = self.stated_rows(column)
        return values[rows, column], self.labels[rows, column] == 1

    def counts(self, finding: str, mask: NDArray[np.bool_] | None = None) -> dict[str, int]:
        """Count images whose label is stated, those with the finding, and their patients; of the mean, all images.

        Args:
            finding: Name of the finding, or ``mean``.
            mask: (N,) images that count; all unless given.
        """
        chosen = np.ones(len(self.labels), dtype=bool) if mask is None else mask
        if finding == MEAN:
            return {"images": int(chosen.sum())}
        labels = self.labels[chosen, self.findings.index(finding)]
        return {
            "images": int((~np.isnan(labels)).sum()),
            "positives": int((labels == 1).sum()),
            "positive_patients": int(np.count_nonzero(np.bincount(self.codes[chosen][labels == 1]))),
        }


@dataclass(frozen=True)
class Scores:
    """What one model says about the images of a split.

    Attributes:
        run: Name of the run.
        logits: (N, L) of the test images, rows and columns as in their ``HeldOut``; probabilities where they come
            from a file of predictions.
        validation: (M, L) likewise of the validation images; None for a file of predictions.
    """

    run: RunName
    logits: np.ndarray
    validation: np.ndarray | None = None

    def require_validation(self) -> np.ndarray:
        """Return the scores of the validation images.

        Raises:
            ValueError: There are none.
        """
        if self.validation is None:
            raise ValueError(f"{self.run} has no validation scores")
        return self.validation


@dataclass(frozen=True)
class SplitRuns:
    """The finished runs of one split and what they are measured against."""

    test: HeldOut
    validation: HeldOut
    scores: tuple[Scores, ...]


def no_auc_reason(present: np.ndarray) -> str | None:
    """Say why an AUC cannot be computed, or None when it can."""
    if not present.size:
        return "label not stated"
    if not present.any():
        return "no image with the finding"
    if present.all():
        return "no image without the finding"
    return None
