"""What a report tells about: a study's settings and its result tables, read once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from cxrbench import runs
from cxrbench.config import PAPER_APPROACHES, Vocabulary
from cxrbench.errors import StudyError
from cxrbench.evaluate.asked import (
    LOCALISATION_FILE,
    LOCALISATION_FOLDER,
    NONIMAGE_FILE,
    NONIMAGE_FOLDER,
    PROBES_FILE,
    SANITY_FILE,
)
from cxrbench.evaluate.outputs import left_out_reasons, recorded_vocabulary
from cxrbench.report.asked import Asked, read_asked

KINDS = ("resample", "fold", "official")
"""Kinds of splits, in the order in which a report shows them."""


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
    vocabulary: Vocabulary
    """The findings that were measured."""
    left_out: dict[str, str]
    """Findings that no network answers, and why."""
    localisation: Asked
    nonimage: Asked

    @property
    def findings(self) -> tuple[str, ...]:
        """Names of the findings."""
        return self.vocabulary.names


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
        vocabulary=recorded_vocabulary(record, _findings(tables.auc["finding"]), where=str(folder / runs.STUDY_FILE)),
        left_out=left_out_reasons(record),
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


TEXT = frozenset(
    {"approach", "approach_a", "approach_b", "calibration", "ensemble", "finding", "group", "group_a", "group_b"}
    | {"hash", "kind", "mean_of", "measure", "method", "note", "part", "question", "reason", "rule", "sex", "split"}
    | {"view", "weights", "weights_digest"}
)
"""Columns that hold words; all others hold numbers, even where a study has none of them."""


def _read_csv(path: Path) -> pl.DataFrame:
    """A table whose columns of words are words and whose columns of numbers are numbers, even where all are empty."""
    table = pl.read_csv(path, infer_schema_length=None, schema_overrides=dict.fromkeys(TEXT, pl.String))
    empty = [name for name in table.columns if name not in TEXT and table[name].null_count() == table.height]
    return table.cast(dict.fromkeys(empty, pl.Float64))
