"""How sure the AUCs of the best approach are on one test set, and what that rests on."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from cxrbench.report.results import Results
from cxrbench.report.tables.table import Cell, Row, Table, cells
from cxrbench.report.words import NOTHING, count, decimal, title_of


def certainty_table(results: Results) -> Table | None:
    """AUC, interval, positives, positive patients and inflation; None where an AUC is not of one model."""
    if not (results.has_intervals and results.ranked):
        return None
    best = results.ranked[0]
    rows = results.auc.filter(pl.col("approach") == best)
    return Table(
        name=f"certainty-{results.kind}",
        caption=f"AUCs of {best} with 95 % intervals for new patients. {results.title}.",
        columns=("Finding", "Images", "Positives", "Positive patients", "AUC", "95 % interval", "Inflation"),
        rows=tuple(map(_row, rows.iter_rows(named=True))),
        note="Intervals are clustered by patient. Inflation: their variance over one that takes the images of a "
        "patient as independent.",
    )


def _row(row: Mapping[str, Any]) -> Row:
    has_interval = row["lower"] is not None
    interval = f"{decimal(row['lower'])} to {decimal(row['upper'])}" if has_interval else NOTHING
    numbers = (
        count(row["images"]),
        "" if row["positives"] is None else count(row["positives"]),
        "" if row["positive_patients"] is None else count(row["positive_patients"]),
        decimal(row["auc"]),
    )
    certain = Cell(interval, reason="" if has_interval else str(row["reason"]))
    inflation = Cell(decimal(row["inflation"], 2))
    return Row(title_of(row["finding"]), (*cells(numbers), certain, inflation), is_summary=row["finding"] == "mean")
