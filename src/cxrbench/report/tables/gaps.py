"""Gaps between groups of images in numbers."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from cxrbench.report.results import Results
from cxrbench.report.tables.subgroups import THIN
from cxrbench.report.tables.table import Cell, Row, Table
from cxrbench.report.words import NOTHING, decimal, group_title, interval, signed


def gap_table(results: Results) -> Table:
    """Mean AUC of one group less that of another, for every approach."""
    gaps = results.gaps
    if results.has_intervals:
        described = "with 95 % intervals for new patients"
        note = "A gap is over the pathologies that both groups have; a patient may be in both."
    else:
        described = "mean ± SD over the splits"
        note = (
            "A gap is over the pathologies that both groups have. Every split has an interval of its own in "
            "results/gaps.csv; the SD is none."
        )
    return Table(
        name=f"gaps-{results.kind}",
        caption=f"Gaps in mean AUC between groups of images. {results.title}, {described}.",
        columns=("Gap", *results.approaches),
        rows=tuple(
            _row(f"{group_title(str(one))} − {group_title(str(other))}", rows, results)
            for (one, other), rows in gaps.group_by("group_a", "group_b", maintain_order=True)
        ),
        note=note,
    )


def _row(label: str, gaps: pl.DataFrame, results: Results) -> Row:
    own = [gaps.filter(pl.col("approach") == name) for name in results.approaches]
    return Row(
        label,
        tuple(
            _single(rows.row(0, named=True), results.enough) if results.has_intervals else _mean(rows, results.enough)
            for rows in own
        ),
    )


def _single(row: Mapping[str, Any], enough: int) -> Cell:
    """One model's gap with its interval."""
    if row["difference"] is None or row["findings_counted"] < enough:
        return Cell(NOTHING, reason=THIN)
    if row["lower"] is None:
        return Cell(signed(row["difference"]), "no interval", reason=row["reason"] or "")
    return Cell(signed(row["difference"]), interval(row["lower"], row["upper"]))


def _mean(rows: pl.DataFrame, enough: int) -> Cell:
    """Mean ± SD over the splits, seeds on one split first."""
    measured = rows.filter(pl.col("findings_counted") >= enough)
    means = measured.group_by("split").agg(pl.col("difference").mean())["difference"].drop_nulls().to_numpy()
    if not means.size:
        return Cell(NOTHING, reason=THIN)
    return Cell(signed(float(means.mean())), f"± {decimal(float(means.std(ddof=1)))}" if means.size > 1 else "")
