"""The study in one figure: every approach's mean AUC on every split, and the mean over the splits."""

from collections.abc import Mapping

import polars as pl

from cxrbench.report.drawing import Drawing, Margins, Mark, drawing, room_for, sheet
from cxrbench.report.palette import INK, Look
from cxrbench.report.words import decimal, plus_minus, slug

ROW, MARGIN, WIDTH = 30.0, 62.0, 940.0


def mean_auc_figure(auc: pl.DataFrame, summary: pl.DataFrame, looks: Mapping[str, Look], *, kind: str) -> Drawing:
    """One row per approach: a dot per split (a description, not an interval), a bar at the mean.

    Args:
        auc: Rows of ``auc.csv`` of this kind, all images, finding ``mean``.
        summary: Rows of ``auc_summary.csv`` likewise.
        looks: Approaches from top to bottom.
        kind: Of the splits.
    """
    means = {row["approach"]: row for row in summary.iter_rows(named=True)}
    marks = {}
    with sheet(WIDTH, MARGIN + ROW * len(looks), Margins(left=room_for(looks), right=110)) as figure:
        axes = figure.subplots()
        for row, (name, look) in enumerate(looks.items()):
            own = auc.filter(pl.col("approach") == name)
            for split, value in own.group_by("split").agg(pl.col("auc").mean()).sort("split").iter_rows():
                gid = slug(f"{name} {split}")
                marks[gid] = Mark(f"{name}, {split}: {decimal(value)}", name)
                filled = "none" if look.is_dashed else look.colour
                axes.plot([value], [row], "o", markersize=7, color=look.colour, markerfacecolor=filled, gid=gid)
            mean = means[name]["mean"]
            if mean is not None:
                axes.plot([mean, mean], [row - 0.36, row + 0.36], color=INK, linewidth=2)
                label = plus_minus(mean, means[name]["sd"])
                axes.annotate(label, (1.01, row), xycoords=("axes fraction", "data"), va="center")
        axes.set_yticks(range(len(looks)), list(looks))
        axes.set(ylim=(len(looks) - 0.5, -0.5), xlabel="Mean AUC over the pathologies")
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        return drawing(figure, f"mean-auc-{kind}", alt=_alt(means), marks=marks)


def _alt(means: Mapping[str, Mapping[str, float | None]]) -> str:
    listed = ", ".join(f"{name} {plus_minus(row['mean'], row['sd'])}" for name, row in means.items())
    return f"Mean AUC over the pathologies per approach, a dot per split. {listed}."
