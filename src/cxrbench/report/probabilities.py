"""Calibration, usefulness and operating points of the probabilities."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from cxrbench.evaluate.calibrations import AS_THEY_ARE, PLATT
from cxrbench.evaluate.probabilities import NO_LINE
from cxrbench.report.blocks import Block, Choice, Choices, Legend, Note, Section, Shown
from cxrbench.report.curves import calibration_panel, decision_panel
from cxrbench.report.selection import Results
from cxrbench.report.table import Cell, Row, Table
from cxrbench.report.words import NOTHING, decimal, interval, percent, title_of

CAPTION = (
    "Left: calibration; on the dotted line as many images have the finding as the probabilities say. Right: net "
    "benefit, which counts true positives, less false ones at the odds of the probability at which one acts; dotted is "
    "acting on everybody, zero on nobody; the band is the 95 % interval of "
)

ENOUGH = 20
"""Positive test images that a calibration curve of ten points needs, as a mean over the splits."""

MEASURES = {
    "average_precision": "Average precision",
    "brier_skill": "Brier skill",
    "slope": "Slope",
    "intercept": "Intercept",
    "calibration_error": "Calibration error",
}

WAYS = {AS_THEY_ARE: "as they are", PLATT: "calibrated on validation images"}

SHARES = {"sensitivity": "Sensitivity", "specificity": "Specificity", "ppv": "PPV", "npv": "NPV"}

RULES = {
    "youden": ("Youden’s threshold", "the largest sum of sensitivity and specificity"),
    "sensitivity 90 %": ("a sensitivity of 90 %", "the highest threshold that finds 90 % of the positives"),
    "specificity 90 %": ("a specificity of 90 %", "the lowest threshold that leaves 90 % of the negatives alone"),
}
"""Rule -> its name and what it asks for."""


def probability_section(results: Results) -> Section | None:
    """Calibration curves, decision curves, and their numbers for the best approach."""
    is_drawn = pl.col("calibration") == results.calibration
    reliability = results.tables.reliability.filter(is_drawn)
    benefit = results.tables.net_benefit.filter(is_drawn)
    findings = _common_findings(results)
    if not findings or not results.ranked:
        return None
    choices = tuple(
        Choice(
            title_of(name),
            (calibration_panel(name, reliability, results), decision_panel(name, benefit, results)),
            f"{title_of(name)}. {CAPTION}{results.ranked[0]}.",
        )
        for name in findings
    )
    blocks: tuple[Block, ...] = (Legend(), Choices(choices))
    if results.splits > 1:
        blocks += (Note("Curves are means over the splits."),)
    numbers = tuple(
        Shown(probability_table(results, way), unfold=f"Probabilities of {results.ranked[0]}, {said}, in numbers")
        for way, said in WAYS.items()
        if way in set(results.tables.probability_summary["calibration"])
    )
    points = tuple(
        Shown(operation_table(results, rule), unfold=f"Operating points of {results.ranked[0]} at {named}")
        for rule, (named, _) in RULES.items()
        if results.tables.operation.height  # files of predictions have no validation images to choose thresholds on
    )
    return Section("What the probabilities are worth", (*blocks, *numbers, *points))


def _common_findings(results: Results) -> list[str]:
    """Findings that are common enough for curves, the commonest pathology first."""
    positives = results.auc.unique(["split", "finding"]).group_by("finding").agg(pl.col("positives").mean())
    enough = positives.filter(pl.col("positives") >= ENOUGH).sort("positives", "finding", descending=[True, False])
    none = results.vocabulary.none_present
    drawn = set(results.tables.reliability["finding"])
    return sorted((name for name in enough["finding"] if name in drawn), key=lambda name: name == none)


def probability_table(results: Results, way: str) -> Table:
    """Measures of the best approach's probabilities, with intervals for new patients.

    Args:
        results: Of one kind of split.
        way: Of calibration.
    """
    best = results.ranked[0]
    is_meant = (pl.col("approach") == best) & (pl.col("calibration") == way)
    points = results.tables.probabilities.filter(is_meant)
    summary = results.tables.probability_summary.filter(is_meant)
    averaged = "" if results.splits == 1 else "means over the splits, "
    return Table(
        name=f"probabilities-{way}-{results.kind}",
        caption=f"Probabilities of {best}, {WAYS[way]}: {averaged}below them 95 % intervals for new patients "
        f"by patient bootstrap. {results.title}.",
        columns=("Finding", "Prevalence", *MEASURES.values()),
        rows=tuple(
            _measure_row(finding, *(table.filter(pl.col("finding") == finding) for table in (points, summary)))
            for finding in results.findings
        ),
        note="Brier skill: 0 is no better than the prevalence, 1 perfect. Slope: below 1 they are too extreme. "
        "Intercept: above 0 the finding is commoner than they say. Calibration error: in brackets, what a perfectly "
        "calibrated model would show on as many images.",
    )


def _measure_row(finding: str, points: pl.DataFrame, summary: pl.DataFrame) -> Row:
    by_measure = {row["measure"]: row for row in summary.iter_rows(named=True)}
    if not by_measure:
        reasons = ", ".join(points["reason"].drop_nulls().unique().sort())
        return Row(title_of(finding), tuple(Cell(NOTHING, reason=reasons) for _ in range(1 + len(MEASURES))))
    prevalence, if_perfect = (_mean(points[name]) for name in ("prevalence", "calibration_error_if_perfect"))
    brackets = {"calibration_error": f" ({decimal(if_perfect)})"}
    cells = (_measure_cell(by_measure.get(name), brackets.get(name, "")) for name in MEASURES)
    return Row(title_of(finding), (Cell(NOTHING if prevalence is None else percent(prevalence)), *cells))


def _measure_cell(row: Mapping[str, Any] | None, brackets: str) -> Cell:
    """A value and its interval."""
    if row is None:
        return Cell(NOTHING, reason=NO_LINE)
    if row["lower"] is None:
        return Cell(decimal(row["value"]) + brackets, reason=row["reason"])
    return Cell(decimal(row["value"]) + brackets, interval(row["lower"], row["upper"]))


def _mean(column: pl.Series) -> float | None:
    """Mean over splits and seeds of what is known."""
    values = column.drop_nulls().to_numpy()
    return float(values.mean()) if values.size else None


def operation_table(results: Results, rule: str) -> Table:
    """Sensitivity, specificity and predictive values on test images, at thresholds chosen on validation images."""
    best = results.ranked[0]
    own = results.tables.operation.filter((pl.col("approach") == best) & (pl.col("rule") == rule))
    described = "with 95 % intervals for new patients" if _is_one_model(results) else "mean over the models"
    return Table(
        name=f"operation-{rule.replace(' ', '-').replace('-%', '')}-{results.kind}",
        caption=f"{best} at {RULES[rule][1]}: chosen on validation images, judged on test images. "
        f"{results.title}, {described}.",
        columns=("Finding", *SHARES.values()),
        rows=tuple(
            _operation_row(finding, own.filter(pl.col("finding") == finding), results) for finding in results.findings
        ),
        note="PPV and NPV: positive and negative predictive value at the prevalence of the test images.",
    )


def _operation_row(finding: str, own: pl.DataFrame, results: Results) -> Row:
    return Row(title_of(finding), tuple(_share_cell(own, name, results) for name in SHARES))


def _share_cell(own: pl.DataFrame, name: str, results: Results) -> Cell:
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
