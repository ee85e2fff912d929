"""Calibration curves of one finding: what was expected, and what was found."""

import polars as pl

from cxrbench.evaluate.calibrations import PLATT
from cxrbench.report.drawing import Drawing, Margins, drawing, sheet
from cxrbench.report.figures.panel import Curve, draw_curves
from cxrbench.report.palette import FAINT
from cxrbench.report.results import Results
from cxrbench.report.words import slug, title_of

WIDTH, HEIGHT = 460.0, 440.0


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
