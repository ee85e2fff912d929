"""ROC curves: one small panel per finding, a curve per approach."""

from collections.abc import Mapping

import polars as pl

from cxrbench.report.drawing import Drawing, Margins, Mark, drawing, sheet
from cxrbench.report.palette import FAINT
from cxrbench.report.results import Results
from cxrbench.report.words import plus_minus, slug, title_of

SIDE = 300.0
"""Width of a panel, CSS pixels."""


def roc_panel(finding: str, results: Results) -> Drawing:
    """Sensitivity against false-positive rate of one finding."""
    is_own = pl.col("finding") == finding
    own = results.tables.roc.filter(is_own)
    areas = {row["approach"]: row for row in results.summary.filter(is_own).iter_rows(named=True)}
    marks = {}
    with sheet(SIDE, SIDE + 18, Margins(left=48, top=28)) as figure:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.7, linestyle=(0, (1, 2)))
        for name, look in results.looks.items():
            curve = own.filter(pl.col("approach") == name)
            if not curve.height:
                continue
            gid = slug(name)
            marks[gid] = Mark(f"{name}: AUC {plus_minus(areas[name]['mean'], areas[name]['sd'])}", name)
            axes.plot(
                curve["false_positive_rate"],
                curve["sensitivity"],
                color=look.colour,
                linestyle=(0, look.dashes) if look.is_dashed else "solid",
                linewidth=1.5,
                gid=gid,
            )
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), title=title_of(finding), aspect="equal")
        axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
        axes.set(xlabel="1 − specificity", ylabel="Sensitivity")
        return drawing(figure, f"roc-{results.kind}-{slug(finding)}", alt=_alt(finding, areas), marks=marks)


def _alt(finding: str, areas: Mapping[str, Mapping[str, float | None]]) -> str:
    listed = ", ".join(f"{name} {row['mean']:.3f}" for name, row in areas.items() if row["mean"] is not None)
    return f"ROC curves of {title_of(finding)}. Areas: {listed}."
