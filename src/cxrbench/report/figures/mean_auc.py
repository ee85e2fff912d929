"""The study in one figure: every approach's mean AUC."""

from collections.abc import Iterator

import polars as pl
from matplotlib.axes import Axes

from cxrbench.report.drawing import Drawing, Margins, Mark, drawing, room_for, sheet
from cxrbench.report.palette import INK, PAPER, Look
from cxrbench.report.results import IS_MEAN, Results
from cxrbench.report.words import auc_said, decimal, plus_minus, slug

ROW, MARGIN, WIDTH = 30.0, 62.0, 940.0


def mean_auc_figure(results: Results) -> Drawing:
    """One row per approach: its interval for new patients, or a dot per split (a description) and a bar at the mean."""
    runs = results.auc.filter(IS_MEAN)
    means = {row["approach"]: row for row in results.summary.filter(IS_MEAN).iter_rows(named=True)}
    marks: dict[str, Mark] = {}
    margins = Margins(left=room_for(results.looks), right=175 if results.has_intervals else 110)
    with sheet(WIDTH, MARGIN + ROW * len(results.looks), margins) as figure:
        axes = figure.subplots()
        for place, (name, look) in enumerate(results.looks.items()):
            own = runs.filter(pl.col("approach") == name)
            draw = _interval if results.has_intervals else _splits
            marks |= dict(draw(axes, place, own, look))
            said = (
                auc_said(own.row(0, named=True))
                if results.has_intervals
                else plus_minus(means[name]["mean"], means[name]["sd"])
            )
            axes.annotate(said, (1.01, place), xycoords=("axes fraction", "data"), va="center")
        axes.set_yticks(range(len(results.looks)), list(results.looks))
        axes.set(ylim=(len(results.looks) - 0.5, -0.5), xlabel="Mean AUC over the pathologies")
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        listed = ", ".join(f"{name} {plus_minus(row['mean'], row['sd'])}" for name, row in means.items())
        alt = f"Mean AUC over the pathologies per approach. {listed}."
        return drawing(figure, f"mean-auc-{results.kind}", alt=alt, marks=marks)


def _interval(axes: Axes, place: int, runs: pl.DataFrame, look: Look) -> Iterator[tuple[str, Mark]]:
    """One model with its interval."""
    row = runs.row(0, named=True)
    if row["auc"] is None:
        return
    if row["lower"] is not None:
        axes.plot([row["lower"], row["upper"]], [place, place], color=look.colour, linewidth=2)
    gid = slug(row["approach"])
    filled = PAPER if look.is_dashed else look.colour
    axes.plot([row["auc"]], [place], "o", markersize=7, color=look.colour, markerfacecolor=filled, gid=gid)
    yield gid, Mark(f"{row['approach']}: {auc_said(row)}", row["approach"])


def _splits(axes: Axes, place: int, runs: pl.DataFrame, look: Look) -> Iterator[tuple[str, Mark]]:
    """A dot per split, and the bar at their mean."""
    by_split = runs.group_by("split").agg(pl.col("auc").mean(), pl.col("approach").first()).drop_nulls().sort("split")
    for split, value, name in by_split.iter_rows():
        gid = slug(f"{name} {split}")
        filled = "none" if look.is_dashed else look.colour
        axes.plot([value], [place], "o", markersize=7, color=look.colour, markerfacecolor=filled, gid=gid)
        yield gid, Mark(f"{name}, {split}: {decimal(value)}", name)
    if by_split.height:
        mean = float(by_split["auc"].to_numpy().mean())
        axes.plot([mean, mean], [place - 0.36, place + 0.36], color=INK, linewidth=2)
