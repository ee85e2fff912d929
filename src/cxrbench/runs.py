"""Names and columns of a study's folders: who writes and who reads agree here, without torch."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from cxrbench.errors import IntegrityError, StudyError
from cxrbench.manifest import MANIFEST_FILE, Manifest, read_manifest, seal
from cxrbench.results import Column, ResultTable

PARTS = ("train", "val", "test")
TABLE_COLUMNS = ("image_id", "path", "patient_id", "age_years", "sex", "view", "follow_up")

STUDY_FILE = "study.json"
STUDY_SCHEMA = 2
"""Of ``study.json``; 1 had no such key, and no vocabulary."""
TABLE_FILE = "table.parquet"
SPLITS_FOLDER = "splits"
RUNS_FOLDER = "runs"
RESULTS_FOLDER = "results"
REPORT_FOLDER = "report"

CONFIG_FILE = "config.json"
ENVIRONMENT_FILE = "environment.json"
HISTORY_FILE = "history.csv"
WEIGHTS_FILE = "checkpoint.safetensors"
FAILURE_FILE = "failure.json"

RUN_HISTORY = ResultTable(
    HISTORY_FILE,
    "One row per epoch.",
    (
        Column("epoch", pl.Int64, "Number of the epoch, from 0."),
        Column("train_loss", pl.Float64, "Mean loss on the training images."),
        Column("val_loss", pl.Float64, "Mean loss on the validation images."),
        Column("learning_rate", pl.Float64, "Learning rate at the end of the epoch; of several, the highest."),
        Column("seconds", pl.Float64, "Duration, seconds."),
        Column(
            "val_auc",
            pl.Float64,
            "Mean AUC on the validation images; empty where no finding has both classes, or the run is older.",
            is_added=True,
        ),
        Column("phase", pl.Int64, "Phase of the recipe, from 0.", is_added=True, older=0),
        Column("is_kept", pl.Boolean, "The network of this epoch was kept; empty for older runs.", is_added=True),
    ),
    remedy="delete its run and run the study again",
)
"""History that a run's folder keeps."""


def predictions_file(part: str) -> str:
    """File name of a run's predictions on one part: ``image_id, patient_id``, one float32 logit per finding."""
    return f"predictions-{part}.parquet"


@dataclass(frozen=True, order=True)
class RunName:
    """One approach trained on one split, from one seed."""

    approach: str
    split: str
    seed: int

    def folder(self, study: Path) -> Path:
        """Where the finished run lives; its presence means that it is complete."""
        return study / RUNS_FOLDER / self.approach / self.split / f"seed-{self.seed}"

    def __str__(self) -> str:
        return f"{self.approach} / {self.split} / seed {self.seed}"


RUN = "run"
"""Kind of a run's manifest."""


def seal_run(folder: Path, run: RunName, *, made_from: Mapping[str, str]) -> Manifest:
    """Write the manifest of a run that is finished, before its folder gets its name."""
    return seal(folder, kind=RUN, name=str(run), made_from=made_from)


def run_file(study: Path, run: RunName, name: str) -> Path:
    """Return the path of a finished run's file, found to be as it was when the run was finished.

    Runs of version 0.1 have no manifest: their files are taken as they are.

    Raises:
        IntegrityError: The file is absent or was changed, or the folder is another run's.
    """
    folder = run.folder(study)
    manifest = read_manifest(folder, kind=RUN, name=str(run))
    if manifest is not None:
        return manifest.file(name)
    if not is_of_version_0_1(folder):
        raise IntegrityError(
            f"{folder} has no {MANIFEST_FILE}; restore the run from a copy, or delete it and run again"
        )
    return folder / name


def is_of_version_0_1(folder: Path) -> bool:
    """Say by its configuration if a run was made by version 0.1, which wrote no schema and no manifests.

    A configuration that cannot be read counts as one: whoever reads it says what is wrong.
    """
    try:
        return "schema" not in json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return True


def read_study_record(study: Path) -> dict[str, Any]:
    """Return what ``study.json`` says of a study; a record of schema 1 lacks the keys that came later.

    Raises:
        StudyError: It is absent, damaged, or of a later version.
    """
    path = study / STUDY_FILE
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        schema, _ = record.get("schema", 1), record["settings"]["approaches"]
    except FileNotFoundError:
        raise StudyError(f"{path} does not exist; is {study} the folder that `cxrbench run --out` wrote?") from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        said = f"{type(error).__name__}: {error}"
        raise StudyError(
            f"{path} is damaged ({said}); restore it from a copy, as it says which findings the runs answer"
        ) from None
    if not isinstance(schema, int) or not 1 <= schema <= STUDY_SCHEMA:
        raise StudyError(
            f"{path} has schema {schema!r}, of a later version of cxrbench than this, which reads up to {STUDY_SCHEMA}"
            "; use that version, or choose another folder"
        )
    return record


def origin_of(record: Mapping[str, Any]) -> str:
    """Return the version that a study began with, from its record."""
    return str(record.get("began_with") or record.get("version") or "0.1")


def origin_note(record: Mapping[str, Any]) -> str | None:
    """Return what must be said of a study that version 0.1 began; None for others."""
    if not origin_of(record).startswith("0.1"):
        return None
    return (
        "the study was begun by version 0.1: its finished runs stay as they are, and it goes on to answer all findings "
        "of its table"
    )


def finished_runs(study: Path) -> list[RunName]:
    """Every complete run of a study, sorted by name."""
    folders = (study / RUNS_FOLDER).glob("*/*/seed-*")
    return sorted(
        RunName(folder.parent.parent.name, folder.parent.name, int(folder.name.removeprefix("seed-")))
        for folder in folders
        if folder.name.removeprefix("seed-").isdigit()
    )
