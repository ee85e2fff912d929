"""What was measured of files of predictions, how they were understood, and its folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cxrbench import files
from cxrbench.config import Vocabulary
from cxrbench.errors import DataError
from cxrbench.evaluate.writing import replaced_folder

RECORD_FILE = "evaluation.json"
"""How files were understood; its presence marks a folder of results that may be replaced."""


@dataclass(frozen=True)
class Evaluation:
    """What was measured, and how the files were understood."""

    folder: Path
    matched: dict[str, dict[str, str]]
    """Model -> column of its file -> what it was taken for."""
    ignored: dict[str, tuple[str, ...]]
    """Model -> columns that were not used."""
    dropped: dict[str, int]
    """Model -> images left out because another model has no prediction of them."""
    images: int
    patients: int
    vocabulary: Vocabulary
    """The findings that were measured."""
    tables: dict[str, pl.DataFrame]
    """By name, as written."""
    adjustment: str
    """How p-values allow for their number."""
    ensemble: str | None = None
    """What the ensemble of all models averages, where one was asked for."""

    @property
    def findings(self) -> tuple[str, ...]:
        """Names of the findings."""
        return self.vocabulary.names


def require_ours(out: Path) -> None:
    """Refuse to replace a folder that holds anything but earlier results.

    Raises:
        DataError: It holds other files.
    """
    if out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file; choose a folder for --out")
    if out.is_dir() and any(out.iterdir()) and not (out / RECORD_FILE).is_file():
        raise DataError(f"{out} holds other files than results; choose a new folder for --out")


@contextmanager
def _writing(out: Path) -> Iterator[Path]:
    """Replace the folder; what the system refuses is one line."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with replaced_folder(out) as scratch:
            yield scratch
    except OSError as error:
        raise DataError(f"cannot write {out}: {error.strerror or error}") from None


def write_evaluation(result: Evaluation, labels: Path) -> None:
    """Write the tables and how the files were understood; earlier results are replaced."""
    record = {
        "labels": {"file": labels.name, "digest": files.digest_file(labels)},
        "images": result.images,
        "patients": result.patients,
        "findings": list(result.findings),
        "vocabulary": result.vocabulary.model_dump(mode="json"),
        "adjustment": result.adjustment,
        "ensemble": result.ensemble,
        "models": {
            name: {"matched": matched, "ignored": list(result.ignored[name]), "images_dropped": result.dropped[name]}
            for name, matched in result.matched.items()
        },
    }
    with _writing(result.folder) as scratch:
        for name, table in result.tables.items():
            table.write_csv(scratch / f"{name}.csv")
        files.write_json(scratch / RECORD_FILE, record)
