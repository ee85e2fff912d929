"""Calibration, usefulness and operating points of the probabilities."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from cxrbench.evaluate.calibration import AS_THEY_ARE, PLATT
from cxrbench.evaluate.probabilities import NO_LINE
from cxrbench.report.blocks import Block, Choice, Choices, Section, Shown
from cxrbench.report.curves import calibration_figure, calibration_panels, decision_figure
from cxrbench.report.selection import Results, legend
from cxrbench.report.table import Cell, Row, Table
from cxrbench.report.words import NOTHING, decimal, interval, mean_count, percent, slug, title_of

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
    "youden": ("Youden’s threshold", "the threshold with the largest sum of sensitivity and specificity"),
    "sensitivity 90 %": ("a sensitivity of 90 %", "the highest threshold that finds 90 % of the positives"),
    "specificity 90 %": ("a specificity of 90 %", "the lowest threshold that spares 90 % of the negatives"),
}
"""Rule -> its name and what it asks for."""


def probability_section(results: Results) -> Section | None:
    """Show calibration and decision curves of each finding, and their numbers for the best approach."""
    findings = _ordered_findings(results)
    enough = [name for name, count in findings.items() if count >= ENOUGH]
    if not enough or not results.ranked:
        return None
    numbers = tuple(
        Shown(probability_table(results, way), unfold=f"Probabilities of {results.ranked[0]}, {said}, in numbers")
        for way, said in WAYS.items()
        if way in set(results.tables.probability_summary["calibration"])
    )
    return Section("What the probabilities are worth", (*_curves(results, findings), *numbers, *_points(results)))


def _curves(results: Results, findings: Mapping[str, float]) -> tuple[Block, ...]:
    """A choice of finding; those with too few positives say so."""
    is_drawn = pl.col("calibration") == results.calibration
    reliability, benefit = (
        table.filter(is_drawn) for table in (results.tables.reliability, results.tables.net_benefit)
    )

    def choice(finding: str, positives: float) -> Choice:
        title = title_of(finding)
        if positives < ENOUGH:
            few = f"{title}. No curves: {mean_count([positives])} positive test images; ten points need {ENOUGH}."
            return Choice(title, (), few)
        panels = calibration_panels(finding, reliability, results)
        name = f"calibration-{results.kind}-{slug(finding)}"
        drawn = calibration_figure(panels, results, name=name, about=title)
        return Choice(title, (drawn, decision_figure(finding, benefit, results)), f"{title}. {_caption(results)}")

    choices = Choices(tuple(choice(*one) for one in findings.items()))
    return (*legend(results), choices)


def _caption(results: Results) -> str:
    """Explain both kinds of curves and their bands."""
    band = (
        "its band is a 95 % interval of each point that takes images as independent"
        if results.runs == 1
        else "its band is ± SD over the runs"
    )
    averaged = " Curves are means over the splits." if results.splits > 1 else ""
    return (
        "Above: calibration. On the dotted line as many images have the finding as the probabilities say; "
        f"{band}. Below: net benefit, which counts true positives, less false ones at the odds of the probability at "
        "which one acts. Dotted: acting on everybody; zero: on nobody. The band is the 95 % interval of "
        f"{results.ranked[0]}.{averaged}"
    )


def _points(results: Results) -> tuple[Block, ...]:
    """Operating points; none for files of predictions, which have no validation images to choose thresholds on."""
    if not results.tables.operation.height:
        return ()
    return tuple(
        Shown(operation_table(results, rule), unfold=f"Operating points of {results.ranked[0]} at {named}")
        for rule, (named, _) in RULES.items()
    )


def _ordered_findings(results: Results) -> dict[str, float]:
    """Findings and their positive test images, those with curves first, then the commonest."""
    positives = results.auc.unique(["split", "finding"]).group_by("finding").agg(pl.col("positives").mean())
    ordered = positives.drop_nulls("positives").sort("positives", "finding", descending=[True, False])
    none, drawn = results.vocabulary.none_present, set(results.tables.reliability["finding"])
    counts = {name: count for name, count in ordered.select("finding", "positives").iter_rows() if name in drawn}
    return dict(sorted(counts.items(), key=lambda one: (one[1] < ENOUGH, one[0] == none)))


def probability_table(results: Results, way: str) -> Table:
    """Measures of the best approach's probabilities, with intervals for new patients.

    Args:
        results: Results on one kind of split.
        way: Way of calibration.
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
            _measure_row(finding, best, *(table.filter(pl.col("finding") == finding) for table in (points, summary)))
            for finding in results.findings
        ),
        note="Brier skill: 0 is no better than the prevalence, 1 is perfect. Slope: below 1, probabilities are too "
        "extreme. Intercept: above 0, the finding is more common than they say. Calibration error: in brackets, the "
        "error that a perfectly calibrated model would show on as many images.",
    )


def _measure_row(finding: str, approach: str, points: pl.DataFrame, summary: pl.DataFrame) -> Row:
    by_measure = {row["measure"]: row for row in summary.iter_rows(named=True)}
    if not by_measure:
        reasons = ", ".join(points["reason"].drop_nulls().unique().sort())
        return Row(title_of(finding), tuple(Cell(NOTHING, reason=reasons) for _ in range(1 + len(MEASURES))))
    prevalence, if_perfect = (_mean(points[name]) for name in ("prevalence", "calibration_error_if_perfect"))
    brackets = {"calibration_error": f" ({decimal(if_perfect)})"}
    cells = (_measure_cell(by_measure.get(name), brackets.get(name, "")).of_approaches(approach) for name in MEASURES)
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
    """Tabulate sensitivity, specificity and predictive values of the best approach at thresholds chosen by a rule."""
    best = results.ranked[0]
    own = results.tables.operation.filter((pl.col("approach") == best) & (pl.col("rule") == rule))
    if _is_one_model(results):
        described, note = "with 95 % intervals for new patients", ""
    else:
        described = f"mean ± SD over {own.select('split', 'seed').n_unique()} models"
        note = " Each model has an interval of its own in results/operation.csv; the SD is not one."
    return Table(
        name=f"operation-{rule.replace(' ', '-').replace('-%', '')}-{results.kind}",
        caption=f"{best} at {RULES[rule][1]}. Thresholds are chosen on validation images and judged on test images. "
        f"{results.title}, {described}.",
        columns=("Finding", "Positives", *SHARES.values()),
        rows=tuple(
            _operation_row(finding, best, own.filter(pl.col("finding") == finding), results)
            for finding in results.findings
        ),
        note="PPV and NPV: positive and negative predictive value at the prevalence of the test images." + note,
    )


def _operation_row(finding: str, approach: str, own: pl.DataFrame, results: Results) -> Row:
    positives = own["positives"].drop_nulls().to_list()
    counted = Cell(mean_count(positives) if positives else "")
    shares = (_share_cell(own, name, results).of_approaches(approach) for name in SHARES)
    return Row(title_of(finding), (counted, *shares))


def _share_cell(own: pl.DataFrame, name: str, results: Results) -> Cell:
    """A share with the interval of one model, or the SD over several."""
    values = own[name].drop_nulls().to_numpy()
    if not values.size:
        return Cell(NOTHING, reason=", ".join(own["reason"].drop_nulls().unique().sort()))
    mean = percent(float(values.mean()))
    if not _is_one_model(results):
        return Cell(mean, f"± {percent(float(values.std(ddof=1)))}" if values.size > 1 else "")
    lower, upper = own[f"{name}_lower"][0], own[f"{name}_upper"][0]
    if lower is None:
        return Cell(mean, "no interval", reason=", ".join(own["reason"].drop_nulls().unique().sort()))
    return Cell(mean, f"{percent(lower)} to {percent(upper)}")


def _is_one_model(results: Results) -> bool:
    """Say if thresholds and shares are of one model, not means over seeds or splits."""
    return results.splits == results.seeds == 1
