"""Ensembles beside the best single approach."""

import polars as pl

from cxrbench.report.results import IS_MEAN, Results
from cxrbench.report.tables.table import Cell, Row, Table
from cxrbench.report.words import decimal, plus_minus

MEMBERS = {"probability": "mean of probabilities", "rank": "mean of ranks"}


def ensemble_table(results: Results) -> Table | None:
    """Mean AUC of every ensemble; None where there is none."""
    own = results.tables.ensembles.filter(IS_MEAN)
    if not own.height:
        return None
    rows = [
        Row(f"{name}, {MEMBERS[str(way)]}", (Cell(str(of["members"][0])), Cell(_said(of))))
        for (name, way), of in own.group_by("ensemble", "mean_of", maintain_order=True)
    ]
    best = results.summary.filter(IS_MEAN & (pl.col("approach") == results.ranked[0])).row(0, named=True)
    single = Row(f"{best['approach']} alone", (Cell("1"), Cell(plus_minus(best["mean"], best["sd"]))), is_summary=True)
    return Table(
        name=f"ensembles-{results.kind}",
        caption=f"Several models as one: mean AUC over the pathologies. {results.title}.",
        columns=("Ensemble", "Members", "Mean AUC"),
        rows=(*rows, single),
        note="Members scored the same test images. The best single approach was chosen on these images too.",
    )


def _said(of: pl.DataFrame) -> str:
    """Mean ± SD over the splits."""
    values = of["auc"].drop_nulls().to_numpy()
    if not values.size:
        return decimal(None)
    return plus_minus(float(values.mean()), float(values.std(ddof=1)) if values.size > 1 else None)
