"""AUC per finding of what a model was given: age, sex and view, the film, or both."""

from collections.abc import Mapping

import polars as pl

from cxrbench.evaluate.asked import ALONE, BOTH, IMAGE
from cxrbench.report.drawing import Drawing
from cxrbench.report.estimates import Estimate, estimate_of
from cxrbench.report.figures.estimates import Axis, Series, estimates_figure
from cxrbench.report.palette import FAMILY_COLOURS
from cxrbench.report.words import title_of

AXIS = Axis("AUC on test films", chance=0.5, digits=3)
LOOKS = {ALONE: ("s", FAMILY_COLOURS[4]), IMAGE: ("o", FAMILY_COLOURS[0]), BOTH: ("D", FAMILY_COLOURS[1])}
"""Marker and colour per kind of input."""
TITLES = {ALONE: "age, sex and view", IMAGE: "film", BOTH: "both"}


def input_figure(table: pl.DataFrame, chosen: Mapping[str, str], name: str) -> Drawing:
    """Forest plot of one model per kind of input.

    Args:
        table: Rows of ``nonimage.csv``.
        chosen: Model by what it was given.
        name: Of the figure.
    """
    findings = {finding: title_of(finding) for finding in table["finding"].unique(maintain_order=True)}
    series = [
        Series(
            f"{TITLES[given]}: {chosen[given]}", colour, marker, _aucs(table.filter(given=given, model=chosen[given]))
        )
        for given, (marker, colour) in LOOKS.items()
        if given in chosen
    ]
    return estimates_figure(findings, series, name, axis=AXIS)


def _aucs(rows: pl.DataFrame) -> dict[str, Estimate]:
    """By finding; without those that could not be measured."""
    found = {finding: estimate_of(own, "auc") for (finding,), own in rows.group_by("finding", maintain_order=True)}
    return {str(finding): estimate for finding, estimate in found.items() if estimate}
