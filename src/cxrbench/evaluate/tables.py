"""All result tables of a study, by name."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from cxrbench.evaluate import (
    calibration,
    comparison,
    discrimination,
    ensembles,
    groups,
    inventory,
    probabilities,
    ranks,
    seen_films,
)
from cxrbench.results import ResultTable
from cxrbench.runs import RESULTS_FOLDER

RESULT_TABLES: Mapping[str, ResultTable] = {
    table.name: table
    for table in (
        discrimination.AUC_TABLE,
        discrimination.AUC_SEEDS_TABLE,
        discrimination.AUC_SUMMARY_TABLE,
        comparison.COMPARISON_TABLE,
        groups.GAPS_TABLE,
        groups.GAPS_SEEDS_TABLE,
        discrimination.ROC_TABLE,
        ranks.STANDING_TABLE,
        ranks.RANK_CORRELATION_TABLE,
        ensembles.ENSEMBLES_TABLE,
        probabilities.PROBABILITIES_TABLE,
        probabilities.PROBABILITY_SUMMARY_TABLE,
        probabilities.RELIABILITY_TABLE,
        probabilities.NET_BENEFIT_TABLE,
        calibration.OPERATION_TABLE,
        inventory.ARCHIVE_TABLE,
        inventory.AGES_TABLE,
        inventory.SPLITS_TABLE,
        inventory.RUNS_TABLE,
        inventory.LEFT_OUT_TABLE,
        seen_films.PRETRAINING_TABLE,
        inventory.HISTORY_TABLE,
        inventory.FAILURES_TABLE,
    )
}
"""Name -> table of ``results/``."""


def read_results(study: Path) -> dict[str, pl.DataFrame]:
    """Read all result tables of a study, by name.

    Raises:
        StudyError: A table is absent or damaged, lacks a column, or has a value of another type.
    """
    return {name: table.read(study / RESULTS_FOLDER) for name, table in RESULT_TABLES.items()}
