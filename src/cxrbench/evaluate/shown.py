"""Results of files of predictions as few columns as fit a terminal."""

from dataclasses import dataclass

import polars as pl

from cxrbench.evaluate.evaluation import Evaluation
from cxrbench.evaluate.groups import ALL

NOTHING = ""


@dataclass(frozen=True)
class ShownTable:
    """A table as text, and below it why some of its rows have no interval."""

    title: str
    rows: pl.DataFrame
    notes: tuple[str, ...]


def shown_tables(result: Evaluation) -> list[ShownTable]:
    """AUCs and comparisons to print."""
    aucs = result.tables["auc"].filter(pl.col("group") == ALL)
    shown = [ShownTable("AUC on all images, 95 % interval for new patients", _aucs(aucs), _notes(aucs))]
    if (comparison := result.tables.get("comparison")) is not None:
        rows, title = (
            _comparisons(comparison, result.adjustment),
            "Differences of AUC for new patients, paired by patient",
        )
        shown.append(ShownTable(title, rows, _notes(comparison)))
    return shown


def _aucs(auc: pl.DataFrame) -> pl.DataFrame:
    return auc.select(
        pl.col("approach").alias("model"),
        "finding",
        pl.col("positives", "positive_patients").cast(pl.String).fill_null(NOTHING),
        _number("auc").alias("AUC"),
        _interval().alias("95 % interval"),
        _number("inflation", digits=2),
    )


def _comparisons(comparison: pl.DataFrame, adjustment: str) -> pl.DataFrame:
    return comparison.select(
        pl.format("{} - {}", "approach_a", "approach_b").alias("models"),
        "finding",
        pl.col("positives", "positive_patients").cast(pl.String).fill_null(NOTHING),
        _number("difference"),
        _interval().alias("95 % interval"),
        _p("p_value").alias("p"),
        _p("p_adjusted").alias(f"p, {adjustment}"),
        _number("inflation", digits=2),
        _number("smallest_detectable").alias("detectable"),
    )


def _number(column: str, *, digits: int = 3) -> pl.Expr:
    """Fixed digits; nothing where unknown."""
    return pl.col(column).map_elements(lambda value: f"{value:.{digits}f}", return_dtype=pl.String).fill_null(NOTHING)


def _p(column: str) -> pl.Expr:
    """A p-value; very small ones have no digits."""
    return pl.when(pl.col(column) < 0.001).then(pl.lit("< 0.001")).otherwise(_number(column))


def _interval() -> pl.Expr:
    """Lower to upper; nothing where unknown."""
    said = pl.format("{} to {}", _number("lower"), _number("upper"))
    return pl.when(pl.col("lower").is_null()).then(pl.lit(NOTHING)).otherwise(said)


def _notes(table: pl.DataFrame) -> tuple[str, ...]:
    """Each reason for which rows have no interval, with their findings."""
    without = table.filter(pl.col("reason").is_not_null())
    found = without.group_by("reason", maintain_order=True).agg(pl.col("finding").unique(maintain_order=True))
    return tuple(f"no interval for {', '.join(findings)}: {reason}" for reason, findings in found.iter_rows())
