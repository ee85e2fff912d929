"""A study's settings, result tables and further analyses, read once for the report."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import polars as pl

from cxrbench import runs
from cxrbench.config import PAPER_APPROACHES, Vocabulary, recorded_vocabulary
from cxrbench.evaluate.explanations import (
    LOCALISATION_FILE,
    LOCALISATION_FOLDER,
    NONIMAGE_FILE,
    NONIMAGE_FOLDER,
    PROBES_FILE,
    SANITY_FILE,
    check_origin,
    read_origin,
)
from cxrbench.evaluate.reading import left_out_reasons
from cxrbench.evaluate.tables import read_results
from cxrbench.runs import RunName

KINDS = ("resample", "fold", "official")
"""Kinds of splits, in the order in which a report shows them."""


@dataclass(frozen=True)
class Analysis:
    """One further analysis of the study's networks, in a folder beside the results.

    Attributes:
        folder: Folder inside the study.
        tables: Tables by file name; empty where they cannot be shown.
        settings: Settings of the analysis.
        why_not: Reason why there are no tables, as a sentence; empty where there are some.
    """

    folder: Path
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    why_not: str = ""


def read_analysis(study: Path, name: str, files: Sequence[str]) -> Analysis:
    """Tables of a folder; none where it is absent, damaged, or made from other runs than the study has now."""
    folder = study / name
    if not folder.is_dir():
        return Analysis(folder, why_not="Not measured yet.")
    try:
        origin = read_origin(folder)
        check_origin(origin, study)
        tables = {file: _read_table(folder / file) for file in files}
    except ValueError as error:
        return Analysis(folder, why_not=f"The folder {name} is left out: {error}.")
    return Analysis(folder, tables, origin["settings"])


def _read_table(path: Path) -> pl.DataFrame:
    """One table.

    Raises:
        ValueError: It is absent or damaged.
    """
    try:
        return pl.read_csv(path, infer_schema_length=None)
    except (OSError, pl.exceptions.PolarsError):
        raise ValueError(f"{path.name} cannot be read") from None


@dataclass(frozen=True)
class Tables:
    """Result tables, each as its ``ResultTable`` in ``evaluate`` describes it."""

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
    """Approaches with a finished run, in the order of the study's settings."""
    kinds: tuple[str, ...]
    """Kinds of the evaluated splits."""
    vocabulary: Vocabulary
    """The findings that were measured."""
    left_out: dict[str, str]
    """Findings that no network answers, and why."""
    localisation: Analysis
    nonimage: Analysis

    @property
    def findings(self) -> tuple[str, ...]:
        """Names of the findings."""
        return self.vocabulary.names


def read_study(folder: Path) -> Study:
    """Read ``study.json`` and ``results/``.

    Raises:
        StudyError: One of them is absent or cannot be read.
    """
    found = read_results(folder)
    tables = Tables(**{one.name: found[one.name] for one in fields(Tables)})
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
        vocabulary=recorded_vocabulary(record, _findings(tables.auc["finding"]), where=folder / runs.STUDY_FILE),
        left_out=left_out_reasons(record),
        localisation=read_analysis(folder, LOCALISATION_FOLDER, (LOCALISATION_FILE, SANITY_FILE)),
        nonimage=read_analysis(folder, NONIMAGE_FOLDER, (NONIMAGE_FILE, PROBES_FILE)),
    )


def _findings(column: pl.Series) -> Sequence[str]:
    """Findings in the table's order, without the mean."""
    return [name for name in column.unique(maintain_order=True) if name != "mean"]


def run_names(study: Study) -> Iterator[RunName]:
    """Yield the names of the finished runs, in the order of ``runs.csv``."""
    for row in study.tables.runs.select("approach", "split", "seed").iter_rows():
        yield RunName(*row)
