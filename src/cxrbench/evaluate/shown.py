"""Results of files of predictions as few columns as fit a terminal."""

import polars as pl

from cxrbench.evaluate.evaluation import Evaluation
from cxrbench.evaluate.groups import ALL

NOTHING = ""


def shown_tables(result: Evaluation) -> dict[str, pl.DataFrame]:
    """AUCs and comparisons to print, as text, by title."""
    shown = {"AUC on all images, 95 % interval for new patients": _aucs(result.tables["auc"])}
    if "comparison" in result.tables:
        shown["Differences of AUC for new patients, paired by patient"] = _comparisons(
            result.tables["comparison"], result.adjustment
        )
    return shown


def _aucs(auc: pl.DataFrame) -> pl.DataFrame:
    return auc.filter(pl.col("group") == ALL).select(
        pl.col("approach").alias("model"),
        "finding",
        pl.col("positives", "positive_patients").cast(pl.String).fill_null(NOTHING),
        _number("auc").alias("AUC"),
        _interval().alias("95 % interval"),
        _number("inflation", digits=2),
        pl.col("reason").fill_null(NOTHING),
    )


def _comparisons(comparison: pl.DataFrame, adjustment: str) -> pl.DataFrame:
    return comparison.select(
        pl.format("{} - {}", "approach_a", "approach_b").alias("models"),
        "finding",
        _number("difference"),
        _interval().alias("95 % interval"),
        _p("p_value").alias("p"),
        _p("p_adjusted").alias(f"p, {adjustment}"),
        _number("smallest_detectable").alias("detectable"),
        pl.col("reason").fill_null(NOTHING),
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
