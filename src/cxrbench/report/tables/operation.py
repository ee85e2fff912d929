"""Operating points of the best approach."""

import polars as pl

from cxrbench.report.results import Results
from cxrbench.report.tables.table import Cell, Row, Table
from cxrbench.report.words import NOTHING, percent, title_of

COLUMNS = {"sensitivity": "Sensitivity", "specificity": "Specificity", "ppv": "PPV", "npv": "NPV"}
RULES = {
    "youden": ("Youden’s threshold", "the largest sum of sensitivity and specificity"),
    "sensitivity 90 %": ("a sensitivity of 90 %", "the highest threshold that finds 90 % of the positives"),
    "specificity 90 %": ("a specificity of 90 %", "the lowest threshold that leaves 90 % of the negatives alone"),
}
"""Rule -> its name and what it asks for."""


def operation_table(results: Results, rule: str) -> Table:
    """Sensitivity, specificity and predictive values on test images, at thresholds chosen on validation images."""
    best = results.ranked[0]
    own = results.tables.operation.filter((pl.col("approach") == best) & (pl.col("rule") == rule))
    described = "with 95 % intervals for new patients" if _is_one_model(results) else "mean over the models"
    return Table(
        name=f"operation-{rule.replace(' ', '-').replace('-%', '')}-{results.kind}",
        caption=f"{best} at {RULES[rule][1]}: chosen on validation images, judged on test images. "
        f"{results.title}, {described}.",
        columns=("Finding", *COLUMNS.values()),
        rows=tuple(_row(finding, own.filter(pl.col("finding") == finding), results) for finding in results.findings),
        note="PPV and NPV: positive and negative predictive value at the prevalence of the test images.",
    )


def _row(finding: str, own: pl.DataFrame, results: Results) -> Row:
    return Row(title_of(finding), tuple(_cell(own, name, results) for name in COLUMNS))


def _cell(own: pl.DataFrame, name: str, results: Results) -> Cell:
    """A share, with its interval where there is one model."""
    values = own[name].drop_nulls().to_numpy()
    if not values.size:
        return Cell(NOTHING, reason=", ".join(own["reason"].drop_nulls().unique().sort()))
    lower, upper = own[f"{name}_lower"][0], own[f"{name}_upper"][0]
    has_interval = _is_one_model(results) and lower is not None
    return Cell(percent(float(values.mean())), f"{percent(lower)} to {percent(upper)}" if has_interval else "")


def _is_one_model(results: Results) -> bool:
    """Whether thresholds and shares are of one model, and not means over seeds or splits."""
    return results.splits == results.seeds == 1
