"""Tables of the runs that were asked: which belong to a chapter, in which order, and what their spread means."""

import polars as pl

from cxrbench.report.results import Results

ONE_RUN = (
    "Lines: 95 % intervals for new patients, the films of a patient kept together; the models are as "
    "they are. No line where too few patients allow none."
)
SEVERAL_RUNS = "A dot per run, a bar at their mean; the spread of the dots is no interval, since runs share patients."


def of_kind(table: pl.DataFrame, results: Results) -> pl.DataFrame:
    """Rows of the runs on this kind of split."""
    return table.filter(pl.col("split").is_in(results.tables.splits["split"].unique().implode()))


def in_order(results: Results, names: pl.Series) -> list[str]:
    """The approaches among some names, the best first."""
    there = set(names)
    return [name for name in dict.fromkeys((*results.ranked, *results.approaches)) if name in there]


def runs_of(rows: pl.DataFrame) -> int:
    """How many runs of one approach a table has."""
    return rows.select("split", "seed").n_unique()


def spread_said(rows: pl.DataFrame) -> str:
    """What the lines or dots of a figure are."""
    return ONE_RUN if runs_of(rows) == 1 else SEVERAL_RUNS


def told(rows: pl.DataFrame) -> str:
    """What stands below the numbers of a table."""
    return "with 95 % intervals for new patients" if runs_of(rows) == 1 else f"mean ± SD over {runs_of(rows)} runs"
