"""Rank correlations in numbers."""

from collections.abc import Mapping
from typing import Any

from cxrbench.report.results import IS_MEAN, Results
from cxrbench.report.tables.table import Cell, Row, Table
from cxrbench.report.words import NOTHING, decimal, interval


def agreement_table(results: Results) -> Table:
    """Every pair of approaches, the least alike first; another seed of the same approach is the ceiling."""
    pairs = results.tables.rank_correlation.filter(IS_MEAN).sort("spearman", nulls_last=True)
    splits = "" if results.splits == 1 else ", averaged over the splits"
    return Table(
        name=f"agreement-{results.kind}",
        caption=f"Spearman’s rank correlation, mean over the pathologies{splits}. {results.title}.",
        columns=("Approaches", "Rank correlation", "95 % interval for new patients", "SD over splits"),
        rows=tuple(_row(pair) for pair in pairs.iter_rows(named=True)),
        note="Interval: patient bootstrap. SD: description, not a standard error, since training parts overlap.",
    )


def _row(pair: Mapping[str, Any]) -> Row:
    is_ceiling = pair["approach_a"] == pair["approach_b"]
    name = f"{pair['approach_a']}, another seed" if is_ceiling else f"{pair['approach_a']} and {pair['approach_b']}"
    if pair["spearman"] is None:
        return Row(name, (Cell(NOTHING, reason="all outputs of one are equal"), Cell(NOTHING), Cell(NOTHING)))
    values = (decimal(pair["spearman"]), interval(pair["lower"], pair["upper"]), decimal(pair["sd"]))
    return Row(name, tuple(map(Cell, values)), is_summary=is_ceiling)
