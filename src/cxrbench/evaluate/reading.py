"""A study's finished runs, read back and checked: nothing is evaluated on patients that were trained on."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cxrbench import runs
from cxrbench.errors import StudyError
from cxrbench.runs import RunName
from cxrbench.splits import Split, read_split

KEYS = ("image_id", "patient_id")
NOT_STATED = -1
"""Stands for a null label in arrays of labels."""


@dataclass(frozen=True)
class HeldOut:
    """The test images of one split, in one order for all its runs, and their truth."""

    split: str
    """Name of the split."""
    kind: str
    """Of the split."""
    images: pl.DataFrame
    """(N) rows of the table, sorted by ``image_id``."""
    findings: tuple[str, ...]
    labels: np.ndarray
    """(N, L) int8: 1 present, 0 absent, -1 not stated."""

    @property
    def patients(self) -> np.ndarray:
        """(N,) patient ids."""
        return self.images["patient_id"].to_numpy()


@dataclass(frozen=True)
class Scores:
    """What one run says about the images of a ``HeldOut``."""

    run: RunName
    logits: np.ndarray
    """(N, L) float32; rows and columns as in the ``HeldOut``."""


def read_table(study: Path) -> pl.DataFrame:
    """The study's table, sorted by ``image_id``.

    Raises:
        StudyError: The study has no table.
    """
    path = study / runs.TABLE_FILE
    if not path.is_file():
        raise StudyError(f"{path} does not exist; is {study} the folder that `cxrbench run --out` wrote?")
    return pl.read_parquet(path).sort("image_id")


def findings_of(table: pl.DataFrame) -> tuple[str, ...]:
    """Names of the table's label columns."""
    return tuple(name for name in table.columns if name not in runs.TABLE_COLUMNS)


def read_splits(study: Path, names: Iterable[str]) -> dict[str, Split]:
    """Splits by name; reading makes sure that no patient is in two parts.

    Raises:
        DataError: A split file is absent, was changed, or has a patient in two parts.
    """
    return {name: read_split(study / runs.SPLITS_FOLDER / f"{name}.json") for name in names}


def read_config(study: Path, run: RunName) -> dict[str, Any]:
    """The resolved settings of a finished run."""
    config: dict[str, Any] = json.loads((run.folder(study) / runs.CONFIG_FILE).read_text(encoding="utf-8"))
    return config


def read_split_runs(
    study: Path, table: pl.DataFrame, split: Split, names: Iterable[RunName]
) -> tuple[HeldOut, list[Scores]]:
    """Test predictions of all runs of one split, and the truth they are measured against.

    Raises:
        StudyError: A run was made with another split, predicts other findings, predicts images outside its
            part or unknown to the table, or predicts other images than the split's first run.
    """
    findings = findings_of(table)
    truth: HeldOut | None = None
    scores = []
    for run in names:
        _check_identity(read_config(study, run), run, split)
        _check_part(study, run, table, split, "val")
        predicted = _check_part(study, run, table, split, "test")
        logits = _read_logits(study, run, findings)
        if truth is None:
            truth = _held_out(table, split, findings, predicted)
        elif not predicted.equals(truth.images["image_id"]):
            raise StudyError(_other_images(run, predicted, truth))
        scores.append(Scores(run, logits))
    if truth is None:
        raise ValueError(f"no runs given for split {split.name}")
    return truth, scores


def _held_out(table: pl.DataFrame, split: Split, findings: tuple[str, ...], predicted: pl.Series) -> HeldOut:
    images = table.filter(pl.col("image_id").is_in(predicted.implode()))
    labels = images.select(pl.col(findings).fill_null(NOT_STATED).cast(pl.Int8)).to_numpy()
    return HeldOut(split.name, split.kind, images, findings, labels)


def _check_identity(config: dict[str, Any], run: RunName, split: Split) -> None:
    """Refuse a run that was trained on another split of the same name."""
    if config["split_digest"] != split.digest:
        raise StudyError(
            f"{run} was trained on another split named {split.name} (its digest is {config['split_digest'][:12]}, "
            f"the file's {split.digest[:12]}); put the split file back, or delete the run and run the study again"
        )


def _check_part(study: Path, run: RunName, table: pl.DataFrame, split: Split, part: str) -> pl.Series:
    """Image ids that a run predicts for one part, sorted, once it is sure that they belong there."""
    path = run.folder(study) / runs.predictions_file(part)
    predicted = pl.read_parquet(path, columns=["image_id"])["image_id"].sort()
    if (duplicated := predicted.filter(predicted.is_duplicated())).len():
        raise StudyError(f"{path}: image {duplicated[0]} is predicted more than once")
    known = table.filter(pl.col("image_id").is_in(predicted.implode()))
    if known.height < predicted.len():
        stranger = predicted.filter(~predicted.is_in(known["image_id"].implode()))
        raise StudyError(f"{path}: {stranger.len()} images are not in the study's table (first: {stranger[0]})")
    elsewhere = known.filter(~pl.col("patient_id").is_in(list(split.patients[part])))
    if elsewhere.height:
        image, patient = elsewhere.select("image_id", "patient_id").row(0)
        raise StudyError(
            f"{path}: {elsewhere.height} images are not in the {part} part of split {split.name} "
            f"(first: {image} of patient {patient}); delete the run and run the study again"
        )
    return predicted


def _read_logits(study: Path, run: RunName, findings: tuple[str, ...]) -> np.ndarray:
    """(N, L) float32, rows sorted by ``image_id``."""
    path = run.folder(study) / runs.predictions_file("test")
    predictions = pl.read_parquet(path).sort("image_id")
    columns = tuple(name for name in predictions.columns if name not in KEYS)
    if set(columns) != set(findings):
        raise StudyError(f"{path} predicts {sorted(columns)}, but the table's findings are {sorted(findings)}")
    logits: np.ndarray = predictions.select(pl.col(findings).cast(pl.Float32)).to_numpy()
    if not np.isfinite(logits).all():
        row, column = np.argwhere(~np.isfinite(logits))[0]
        image = predictions["image_id"][int(row)]
        raise StudyError(
            f"{path}: the logit of {findings[column]} for {image} is {logits[row, column]}; "
            "delete the run and run the study again"
        )
    return logits


def _other_images(run: RunName, predicted: pl.Series, truth: HeldOut) -> str:
    ours, theirs = set(predicted), set(truth.images["image_id"])
    image = min(ours ^ theirs)
    return (
        f"{run} predicts {len(ours)} test images, the other runs of {truth.split} {len(theirs)} "
        f"(they differ in {len(ours ^ theirs)}, first: {image}); runs are compared on the same images only"
    )
