"""What each ingredient of the paper's approaches changes."""

import polars as pl

from cxrbench.evaluate.discrimination import MEAN
from cxrbench.report.blocks import Choice, Choices, Section, Shown
from cxrbench.report.differences import Difference, by_ingredient
from cxrbench.report.figures.forest import forest_figure
from cxrbench.report.results import Results
from cxrbench.report.tables.differences import difference_table
from cxrbench.report.words import slug, title_of

AXIS = "Difference in AUC; to the right the ingredient helps"
CAPTION = "Pairs of approaches that differ in one ingredient, with 95 % intervals where they can be had."


def ingredient_section(results: Results) -> Section | None:
    """Pairs of approaches that differ in one ingredient, on the mean and on each finding."""
    name = f"ingredients-{results.kind}"
    choices = tuple(
        Choice(
            title_of(finding),
            (forest_figure(rows, f"{name}-{slug(finding)}", axis=AXIS),),
            f"{title_of(finding)}. {CAPTION}",
        )
        for finding in (MEAN, *results.findings)
        if (rows := _rows(results, finding))
    )
    rows = _rows(results, MEAN)
    if not rows:
        return None
    table = difference_table(rows, name, about="What each ingredient changes", results=results)
    return Section("What each ingredient changes", (Choices(choices), Shown(table, unfold="In numbers, with p-values")))


def _rows(results: Results, finding: str) -> list[Difference]:
    """Differences that could be measured."""
    own = results.tables.comparison.filter(pl.col("finding") == finding)
    return [row for row in by_ingredient(own, results.approaches) if row.value is not None]
