"""Curves of one finding by approach: ROC, calibration and decision curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from matplotlib.axes import Axes

from cxrbench.evaluate.calibrations import PLATT
from cxrbench.report.blocks import Choice, Choices, Legend, Note, Section
from cxrbench.report.drawing import FAINT, Drawing, Look, Margins, Mark, drawing, sheet
from cxrbench.report.selection import Results
from cxrbench.report.words import decimal, plus_minus, slug, title_of

SIDE = 300.0
"""Width of a panel, CSS pixels."""

AVERAGED = "Each curve is the vertical average of the splits’ curves. Scores of different models are never pooled."

HALVES = ([0, 0.5, 1], ["0", "0.5", "1"])

WIDTH, HEIGHT = 460.0, 440.0

TICKS = ([0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5], ["0.5 %", "1 %", "2 %", "5 %", "10 %", "20 %", "50 %"])


@dataclass(frozen=True)
class Curve:
    """One approach's curve."""

    approach: str
    x: np.ndarray
    y: np.ndarray
    said: str
    """Shown when it is pointed at."""


def draw_curves(axes: Axes, curves: Sequence[Curve], looks: Mapping[str, Look]) -> dict[str, Mark]:
    """Draw each curve in its approach's colour and dashes; returns what they stand for."""
    for curve in curves:
        look = looks[curve.approach]
        dashes = (0, look.dashes) if look.is_dashed else "solid"
        axes.plot(curve.x, curve.y, color=look.colour, linestyle=dashes, linewidth=1.5, gid=slug(curve.approach))
    return {slug(curve.approach): Mark(f"{curve.approach}: {curve.said}", curve.approach) for curve in curves}


def curve_section(results: Results) -> Section | None:
    """A panel per finding."""
    drawn = set(results.tables.roc["finding"])
    panels = tuple(
        Choice(title_of(finding), (roc_panel(finding, results),)) for finding in results.findings if finding in drawn
    )
    if not panels:
        return None
    note = (Note(AVERAGED),) if results.splits > 1 else ()
    return Section("ROC curves", (Legend(), Choices(panels, are_panels=True), *note))


def roc_panel(finding: str, results: Results) -> Drawing:
    """Sensitivity against false-positive rate."""
    is_own = pl.col("finding") == finding
    own = results.tables.roc.filter(is_own)
    areas = {row["approach"]: row for row in results.summary.filter(is_own).iter_rows(named=True)}
    curves = [
        Curve(
            name,
            rows["false_positive_rate"].to_numpy(),
            rows["sensitivity"].to_numpy(),
            f"AUC {plus_minus(areas[name]['mean'], areas[name]['sd'])}",
        )
        for name in results.approaches
        if (rows := own.filter(pl.col("approach") == name)).height
    ]
    with sheet(SIDE, SIDE + 18, Margins(left=48, top=28)) as figure:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.7, linestyle=(0, (1, 2)))
        marks = draw_curves(axes, curves, results.looks)
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), title=title_of(finding), aspect="equal")
        axes.set_xticks(*HALVES)
        axes.set_yticks(*HALVES)
        axes.set(xlabel="1 − specificity", ylabel="Sensitivity")
        listed = ", ".join(f"{curve.approach} {decimal(areas[curve.approach]['mean'])}" for curve in curves)
        alt = f"ROC curves of {title_of(finding)}. Areas: {listed}."
        return drawing(figure, f"roc-{results.kind}-{slug(finding)}", alt=alt, marks=marks)


def calibration_panel(finding: str, reliability: pl.DataFrame, results: Results) -> Drawing:
    """Share of images with the finding against its mean probability, in bins of equally many images.

    Args:
        finding: Its name.
        reliability: Rows of ``reliability.parquet`` of this kind of split and way of calibration.
        results: Of this kind.
    """
    own = reliability.filter(pl.col("finding") == finding)
    by_bin = own.group_by("approach", "bin").agg(pl.col("probability").mean(), pl.col("share").mean()).sort("bin")
    highest = max(0.05, float(by_bin.select("probability", "share").to_numpy().max(initial=0))) * 1.05
    curves = [
        Curve(name, rows["probability"].to_numpy(), rows["share"].to_numpy(), "calibration curve")
        for name in results.approaches
        if (rows := by_bin.filter(pl.col("approach") == name)).height
    ]
    with sheet(WIDTH, HEIGHT, Margins(left=64, right=26, top=28)) as figure:
        axes = figure.subplots()
        axes.plot([0, highest], [0, highest], color=FAINT, linewidth=0.7, linestyle=(0, (1, 2)))
        marks = draw_curves(axes, curves, results.looks)
        axes.set(xlim=(0, highest), ylim=(0, highest), title=f"{title_of(finding)}: calibration")
        how = "calibrated on validation images" if results.calibration == PLATT else "as given"
        axes.set(xlabel=f"Probability, {how}", ylabel="Share of images with the finding")
        alt = f"Calibration curves of {title_of(finding)} by approach; on the diagonal, probabilities are right."
        return drawing(figure, f"calibration-{results.kind}-{slug(finding)}", alt=alt, marks=marks)


def decision_panel(finding: str, benefit: pl.DataFrame, results: Results) -> Drawing:
    """Net benefit in true positives per 100 images, against the probability at which one acts.

    Args:
        finding: Its name.
        benefit: Rows of ``net_benefit.parquet`` of this kind of split and way of calibration.
        results: Of this kind.
    """
    own = benefit.filter(pl.col("finding") == finding)
    top = 100 * float(own["value"].to_numpy().max(initial=1e-4))
    by_approach = {name: own.filter(pl.col("approach") == name).sort("threshold") for name in results.approaches}
    curves = [
        Curve(name, rows["threshold"].to_numpy(), 100 * rows["value"].to_numpy(), "decision curve")
        for name, rows in by_approach.items()
        if rows.height
    ]
    on_all = own.group_by("threshold").agg(pl.col("act_on_all").mean()).sort("threshold")
    best = by_approach[results.ranked[0]].drop_nulls("lower")
    with sheet(WIDTH, HEIGHT, Margins(left=64, right=26, top=28)) as figure:
        axes = figure.subplots()
        axes.axhline(0, color=FAINT, linewidth=0.8)
        axes.plot(on_all["threshold"], 100 * on_all["act_on_all"], color=FAINT, linewidth=1, linestyle=(0, (1, 2)))
        low, high = (100 * best[end].to_numpy() for end in ("lower", "upper"))
        colour = results.looks[results.ranked[0]].colour
        axes.fill_between(best["threshold"], low, high, color=colour, alpha=0.15, linewidth=0)
        marks = draw_curves(axes, curves, results.looks)
        axes.set(
            xscale="log", xlim=(0.005, 0.5), ylim=(-0.08 * top, 1.1 * top), title=f"{title_of(finding)}: decision curve"
        )
        axes.set_xticks(*TICKS)
        axes.minorticks_off()
        axes.set(xlabel="Act at a probability of … or more", ylabel="Net benefit, true positives per 100 images")
        alt = f"Decision curves of {title_of(finding)} by approach; dotted: acting on everybody, zero: on nobody."
        return drawing(figure, f"decision-{results.kind}-{slug(finding)}", alt=alt, marks=marks)
