"""Decision curves of one finding: what acting on the probabilities is worth."""

import polars as pl

from cxrbench.report.drawing import Drawing, Margins, drawing, sheet
from cxrbench.report.figures.panel import Curve, draw_curves
from cxrbench.report.palette import FAINT
from cxrbench.report.results import Results
from cxrbench.report.words import slug, title_of

WIDTH, HEIGHT = 460.0, 440.0
TICKS = ([0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5], ["0.5 %", "1 %", "2 %", "5 %", "10 %", "20 %", "50 %"])


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
