"""How the mean AUC differs between groups of images."""

from collections.abc import Sequence

import polars as pl

from cxrbench.report.drawing import Drawing, Margins, Mark, drawing, room_for, sheet
from cxrbench.report.palette import RULE
from cxrbench.report.results import Results
from cxrbench.report.words import group_title, plus_minus, slug

ROW, MARGIN, WIDTH = 40.0, 62.0, 940.0


def subgroup_figure(by_group: pl.DataFrame, groups: Sequence[str], results: Results) -> Drawing:
    """One row per group, a dot per approach.

    Args:
        by_group: ``auc_summary.csv`` of this kind of split, finding ``mean``, without thin groups.
        groups: From top to bottom.
        results: Of this kind.
    """
    looks = results.looks
    marks = {}
    titles = [group_title(group) for group in groups]
    with sheet(WIDTH, MARGIN + ROW * len(groups), Margins(left=room_for(titles))) as figure:
        axes = figure.subplots()
        for place, group in enumerate(groups):
            axes.axhline(place, color=RULE, linewidth=0.6)
            own = {row["approach"]: row for row in by_group.filter(pl.col("group") == group).iter_rows(named=True)}
            for step, (name, look) in enumerate(looks.items()):
                if name not in own or own[name]["mean"] is None:
                    continue
                gid = slug(f"{group} {name}")
                marks[gid] = Mark(
                    f"{name}, {group_title(group)}: {plus_minus(own[name]['mean'], own[name]['sd'])}", name
                )
                height = place + 0.5 * ((step + 0.5) / len(looks) - 0.5)
                filled = "white" if look.is_dashed else look.colour
                axes.plot(
                    [own[name]["mean"]],
                    [height],
                    "o",
                    color=look.colour,
                    markerfacecolor=filled,
                    markersize=6.5,
                    gid=gid,
                )
        axes.set_yticks(range(len(groups)), titles)
        axes.set(ylim=(len(groups) - 0.5, -0.5), xlabel="Mean AUC over the pathologies that could be measured")
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        return drawing(
            figure,
            f"subgroups-{results.kind}",
            alt="Mean AUC per group of images and approach; the table has the numbers.",
            marks=marks,
        )
