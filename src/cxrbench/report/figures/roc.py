"""ROC curves of one finding, a curve per approach."""

import polars as pl

from cxrbench.report.drawing import Drawing, Margins, drawing, sheet
from cxrbench.report.figures.panel import SIDE, Curve, draw_curves
from cxrbench.report.palette import FAINT
from cxrbench.report.results import Results
from cxrbench.report.words import decimal, plus_minus, slug, title_of

HALVES = ([0, 0.5, 1], ["0", "0.5", "1"])


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
