"""What a report tells about: a study's settings and its result tables, read once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from cxrbench import runs
from cxrbench.config import PAPER_APPROACHES
from cxrbench.errors import StudyError
from cxrbench.evaluate.asked import (
    LOCALISATION_FILE,
    LOCALISATION_FOLDER,
    NONIMAGE_FILE,
    NONIMAGE_FOLDER,
    PROBES_FILE,
    SANITY_FILE,
)
from cxrbench.report.asked import Asked, read_asked

KINDS = ("resample", "fold", "official")
"""Kinds of splits, in the order in which a report shows them."""

TEXT = ("hash", "weights", "weights_digest")
"""Columns that are no numbers, even where all their digits are."""

REMEDY = "evaluate the study again with `cxrbench report`"


@dataclass(frozen=True)
class Tables:
    """Result tables; docs/results.md describes their columns."""

    auc: pl.DataFrame
    auc_seeds: pl.DataFrame
    auc_summary: pl.DataFrame
    gaps: pl.DataFrame
    gaps_seeds: pl.DataFrame
    roc: pl.DataFrame
    comparison: pl.DataFrame
    standing: pl.DataFrame
    rank_correlation: pl.DataFrame
    ensembles: pl.DataFrame
    probabilities: pl.DataFrame
    probability_summary: pl.DataFrame
    operation: pl.DataFrame
    reliability: pl.DataFrame
    net_benefit: pl.DataFrame
    archive: pl.DataFrame
    ages: pl.DataFrame
    splits: pl.DataFrame
    runs: pl.DataFrame
    pretraining: pl.DataFrame
    history: pl.DataFrame
    failures: pl.DataFrame


@dataclass(frozen=True)
class Study:
    """All that a report is written from."""

    folder: Path
    record: dict[str, Any]
    """``study.json``."""
    tables: Tables
    approaches: tuple[str, ...]
    """With a finished run, in the order of the study's settings."""
    kinds: tuple[str, ...]
    """Of the evaluated splits."""
    findings: tuple[str, ...]
    localisation: Asked
    nonimage: Asked


def read_study(folder: Path) -> Study:
    """Read ``study.json`` and ``results/``.

    Raises:
        StudyError: One of them is absent or cannot be read.
    """
    tables = Tables(**{name: _read_result(folder, name) for name in Tables.__dataclass_fields__})
    record = runs.read_study_record(folder)
    done = set(tables.auc["approach"])
    wanted = (*record["settings"]["approaches"], *PAPER_APPROACHES, *sorted(done))
    present = set(tables.auc["kind"])
    return Study(
        folder=folder,
        record=record,
        tables=tables,
        approaches=tuple(dict.fromkeys(name for name in wanted if name in done)),
        kinds=tuple(kind for kind in KINDS if kind in present),
        findings=tuple(_findings(tables.auc["finding"])),
        localisation=read_asked(folder, LOCALISATION_FOLDER, (LOCALISATION_FILE, SANITY_FILE)),
        nonimage=read_asked(folder, NONIMAGE_FOLDER, (NONIMAGE_FILE, PROBES_FILE)),
    )


def _findings(column: pl.Series) -> Sequence[str]:
    """Findings in the table's order, without the mean."""
    return [name for name in column.unique(maintain_order=True) if name != "mean"]


def _read_result(folder: Path, name: str) -> pl.DataFrame:
    """One result table, CSV or Parquet."""
    results = folder / runs.RESULTS_FOLDER
    for path, read in ((results / f"{name}.csv", _read_csv), (results / f"{name}.parquet", pl.read_parquet)):
        if path.is_file():
            return read(path)
    raise StudyError(f"{results} has no table {name}; {REMEDY}")


def _read_csv(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema_length=None, schema_overrides=dict.fromkeys(TEXT, pl.String))
