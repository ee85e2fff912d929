"""AUC per finding with its interval for new patients: a forest plot."""

import polars as pl

from cxrbench.evaluate.discrimination import MEAN
from cxrbench.report.drawing import Drawing, Margins, Mark, drawing, room_for, sheet
from cxrbench.report.palette import FAINT, PAPER
from cxrbench.report.results import Results
from cxrbench.report.words import auc_said, slug, title_of

LINE, GAP, MARGIN, WIDTH = 13.0, 16.0, 62.0, 940.0
MOST = 4
"""Approaches that are drawn, best first: more cannot be told apart."""


def auc_figure(results: Results) -> Drawing:
    """One row per finding, in it a line per approach; without a line where there is no interval."""
    findings, approaches = (*results.findings, MEAN), results.ranked[:MOST]
    own = {(row["finding"], row["approach"]): row for row in results.auc.drop_nulls("auc").iter_rows(named=True)}
    row_height = GAP + LINE * len(approaches)
    marks: dict[str, Mark] = {}
    with sheet(WIDTH, MARGIN + row_height * len(findings), Margins(left=room_for(map(title_of, findings)))) as figure:
        axes = figure.subplots()
        axes.axvline(0.5, color=FAINT, linewidth=0.8)
        for row, finding in enumerate(findings):
            for step, name in enumerate(approaches):
                if measured := own.get((finding, name)):
                    look, gid = results.looks[name], slug(f"{finding} {name}")
                    height = row + LINE * (step - (len(approaches) - 1) / 2) / row_height
                    if measured["lower"] is not None:
                        ends = [measured["lower"], measured["upper"]]
                        axes.plot(ends, [height, height], color=look.colour, linewidth=2)
                    filled = PAPER if look.is_dashed else look.colour
                    axes.plot([measured["auc"]], [height], "o", color=look.colour, markerfacecolor=filled, gid=gid)
                    marks[gid] = Mark(f"{name}, {title_of(finding)}: {auc_said(measured)}", name)
        axes.set_yticks(range(len(findings)), list(map(title_of, findings)))
        axes.set(ylim=(len(findings) - 0.5, -0.5), xlabel="AUC, with its 95 % interval for new patients")
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        best = results.auc.filter(pl.col("approach") == approaches[0]).drop_nulls("auc")
        listed = "; ".join(f"{title_of(row['finding'])} {auc_said(row)}" for row in best.iter_rows(named=True))
        return drawing(figure, f"auc-{results.kind}", alt=f"AUC per finding of {approaches[0]}: {listed}.", marks=marks)
