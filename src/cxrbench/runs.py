"""Names and columns of a study's folders: who writes and who reads agree here, without torch."""

from dataclasses import dataclass
from pathlib import Path

PARTS = ("train", "val", "test")
TABLE_COLUMNS = ("image_id", "path", "patient_id", "age_years", "sex", "view", "follow_up")

STUDY_FILE = "study.json"
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


def finished_runs(study: Path) -> list[RunName]:
    """Every complete run of a study, sorted by name."""
    folders = (study / RUNS_FOLDER).glob("*/*/seed-*")
    return sorted(
        RunName(folder.parent.parent.name, folder.parent.name, int(folder.name.removeprefix("seed-")))
        for folder in folders
        if folder.name.removeprefix("seed-").isdigit()
    )
