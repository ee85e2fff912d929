"""Mean AUC per group of images."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from cxrbench.report.results import IS_MEAN, Results
from cxrbench.report.tables.table import Cell, Row, Table
from cxrbench.report.words import NOTHING, decimal, group_title, mean_count

THIN = "fewer than half of the pathologies could be measured"


def without_thin(summary: pl.DataFrame, enough: int) -> pl.DataFrame:
    """Blank the means over too few pathologies.

    Args:
        summary: ``auc_summary.csv``, finding ``mean``.
        enough: Pathologies that a mean needs.
    """
    is_enough = pl.col("findings_counted") >= enough
    return summary.with_columns(pl.when(is_enough).then(pl.col(name)).alias(name) for name in ("mean", "sd"))


def subgroup_table(by_group: pl.DataFrame, groups: Sequence[str], results: Results) -> Table:
    """Mean AUC over the pathologies that could be measured in each group.

    Args:
        by_group: ``auc_summary.csv`` of this kind of split, finding ``mean``, ``without_thin``.
        groups: Rows, in order.
        results: Of this kind.
    """
    auc = results.tables.auc.filter(IS_MEAN)
    described = "mean ± SD over the splits" if results.splits > 1 else "one split"
    return Table(
        name=f"subgroups-{results.kind}",
        caption=f"Mean AUC by group of images. {results.title}, {described}.",
        columns=("Group", "Images", "Findings", *results.approaches),
        rows=tuple(_row(auc, by_group, group, results.approaches) for group in groups),
        note="Images: test images, mean over the splits. Findings: fewest pathologies in a mean; the others lack a "
        "class in some split. Groups differ in their findings and in how ill their patients are, so a gap between "
        "two groups is not by itself a fault of the model.",
    )


def _row(auc: pl.DataFrame, summary: pl.DataFrame, group: str, approaches: Sequence[str]) -> Row:
    own = {row["approach"]: row for row in summary.filter(pl.col("group") == group).iter_rows(named=True)}
    rows = auc.filter(pl.col("group") == group)
    images = mean_count(rows.unique("split")["images"].to_list())
    fewest = rows["findings_counted"].to_numpy().min()
    values = [own.get(name, {"mean": None, "sd": None}) for name in approaches]
    return Row(group_title(group), (Cell(images), Cell(str(fewest)), *map(_cell, values)))


def _cell(row: Mapping[str, Any]) -> Cell:
    """Mean ± SD, or why there is none."""
    if row["mean"] is None:
        return Cell(NOTHING, reason=THIN)
    return Cell(decimal(row["mean"]), "" if row["sd"] is None else f"± {decimal(row['sd'])}")
