"""Groups of images by view position, sex and age, and the gaps between them."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from cxrbench.evaluate.columns import ALL
from cxrbench.report.blocks import Block, Figure, Section, Shown
from cxrbench.report.drawing import PAPER, RULE, Drawing, Margins, Mark, drawing, room_for, sheet
from cxrbench.report.forest import Difference, forest_figure
from cxrbench.report.selection import IS_MEAN, Results, legend
from cxrbench.report.table import Cell, Row, Table
from cxrbench.report.words import (
    NOTHING,
    decimal,
    difference_interval,
    group_title,
    mean_count,
    plus_minus,
    signed,
    slug,
)

CAPTION = "Mean AUC by view position, sex and age."
DOTS = " A dot for each approach, in its colour. Hollow dots belong to dashed lines."

ROW, MARGIN, WIDTH = 40.0, 62.0, 940.0

THIN = "fewer than half of the pathologies could be measured"

KINDS_OF_GROUPS = {"view": "View position", "sex": "Sex", "age": "Age"}


def group_section(results: Results) -> Section | None:
    """Mean AUC per group, and the gaps of the best approach."""
    groups = [group for group in results.tables.auc["group"].unique(maintain_order=True) if group != ALL]
    if not groups or not results.ranked:
        return None
    by_group = without_thin(results.tables.auc_summary.filter(IS_MEAN), results.enough)
    measured = set(by_group.drop_nulls("mean")["group"])
    shown = [group for group in groups if group in measured]
    blocks: list[Block] = (
        [
            *legend(results),
            Figure(subgroup_figure(by_group, shown, results), CAPTION + (DOTS if len(results.approaches) > 1 else "")),
        ]
        if shown
        else []
    )
    blocks.append(Shown(subgroup_table(by_group, groups, results)))
    return Section("Groups of images", (*blocks, *_gap_blocks(results)))


def _gap_blocks(results: Results) -> list[Block]:
    """The best approach's gaps between groups, on the mean over the pathologies that both groups have."""
    best = results.ranked[0]
    rows = gaps_of(results.gaps, best, enough=results.enough, has_intervals=results.has_intervals)
    if not rows:
        return []
    interval = (
        "with 95 % intervals for new patients where there are enough of them"
        if results.has_intervals
        else "mean over the splits"
    )
    caption = f"Gaps between groups in the mean AUC of {best}, {interval}, over the pathologies that both groups have."
    axis = "Mean AUC of the first group minus that of the second"
    figure = forest_figure(rows, f"gaps-{results.kind}", axis=axis, seen=results.seen_approaches)
    return [
        Figure(figure, caption),
        Shown(
            gap_table(results),
            unfold=f"{'Gaps of all approaches' if len(results.approaches) > 1 else 'Gaps'} in numbers",
        ),
    ]


def subgroup_figure(by_group: pl.DataFrame, groups: Sequence[str], results: Results) -> Drawing:
    """One row per group, a dot per approach.

    Args:
        by_group: ``auc_summary.csv`` of this kind of split, finding ``mean``, without thin groups.
        groups: Groups, from top to bottom.
        results: Results on this kind of split.
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
                filled = PAPER if look.is_dashed else look.colour
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


def without_thin(summary: pl.DataFrame, enough: int) -> pl.DataFrame:
    """Blank the means over too few pathologies.

    Args:
        summary: ``auc_summary.csv``, finding ``mean``.
        enough: Pathologies that a mean needs.
    """
    is_enough = pl.col("findings_counted") >= enough
    return summary.with_columns(pl.when(is_enough).then(pl.col(name)).alias(name) for name in ("mean", "sd"))


def subgroup_table(by_group: pl.DataFrame, groups: Sequence[str], results: Results) -> Table:
    """Mean AUC over the pathologies that could be measured in each group.

    Args:
        by_group: ``auc_summary.csv`` of this kind of split, finding ``mean``, ``without_thin``.
        groups: Rows, in order.
        results: Results on this kind of split.
    """
    auc = results.tables.auc.filter(IS_MEAN)
    described = "mean ± SD over the splits" if results.splits > 1 else "one split"
    return Table(
        name=f"subgroups-{results.kind}",
        caption=f"Mean AUC by group of images. {results.title}, {described}.",
        columns=("Group", "Images", "Findings", *results.approaches),
        rows=tuple(_group_row(auc, by_group, group, results.approaches) for group in groups),
        note="Images: test images, mean over the splits. Findings: fewest pathologies in a mean; the others lack a "
        "class in some split. Groups differ in their findings and in how ill their patients are, so a gap between "
        "two groups is not by itself a fault of the model.",
    )


def _group_row(auc: pl.DataFrame, summary: pl.DataFrame, group: str, approaches: Sequence[str]) -> Row:
    own = {row["approach"]: row for row in summary.filter(pl.col("group") == group).iter_rows(named=True)}
    rows = auc.filter(pl.col("group") == group)
    images = mean_count(rows.unique("split")["images"].to_list())
    fewest = rows["findings_counted"].to_numpy().min()
    values = [own.get(name, {"mean": None, "sd": None}) for name in approaches]
    return Row(group_title(group), (Cell(images), Cell(str(fewest)), *map(_group_cell, values, approaches)))


def _group_cell(row: Mapping[str, Any], approach: str) -> Cell:
    """Mean ± SD, or why there is none."""
    if row["mean"] is None:
        return Cell(NOTHING, reason=THIN)
    return Cell(decimal(row["mean"]), "" if row["sd"] is None else f"± {decimal(row['sd'])}", of=(approach,))


def gaps_of(gaps: pl.DataFrame, approach: str, *, enough: int, has_intervals: bool) -> list[Difference]:
    """One approach's gaps between groups, averaged over the splits; with an interval where there is one model.

    Args:
        gaps: ``gaps.csv`` of one kind of split and one finding.
        approach: Its name.
        enough: Pathologies that must be in both groups.
        has_intervals: There is one model, so gaps have intervals.
    """
    own = gaps.filter(pl.col("approach") == approach, pl.col("findings_counted") >= enough).drop_nulls("difference")
    rows = []
    for (one, other), of_pair in own.group_by("group_a", "group_b", maintain_order=True):
        first = of_pair.row(0, named=True)
        lower, upper = (first["lower"], first["upper"]) if has_intervals else (None, None)
        rows.append(
            Difference(
                label=f"{group_title(str(one))} − {group_title(str(other))}",
                topic=KINDS_OF_GROUPS.get(str(one).partition("=")[0], ""),
                of=(approach,),
                value=float(of_pair["difference"].to_numpy().mean()),
                lower=lower,
                upper=upper,
            )
        )
    return rows


def gap_table(results: Results) -> Table:
    """Mean AUC of one group less that of another, for every approach."""
    gaps = results.gaps
    if results.has_intervals:
        described = "with 95 % intervals for new patients"
        note = "A gap is over the pathologies that both groups have; a patient may be in both."
    else:
        described = "mean ± SD over the splits"
        note = (
            "A gap is over the pathologies that both groups have. Every split has an interval of its own in "
            "results/gaps.csv; the SD is none."
        )
    return Table(
        name=f"gaps-{results.kind}",
        caption=f"Gaps in mean AUC between groups of images. {results.title}, {described}.",
        columns=("Gap", *results.approaches),
        rows=tuple(
            _gap_row(f"{group_title(str(one))} − {group_title(str(other))}", rows, results)
            for (one, other), rows in gaps.group_by("group_a", "group_b", maintain_order=True)
        ),
        note=note,
    )


def _gap_row(label: str, gaps: pl.DataFrame, results: Results) -> Row:
    own = {name: gaps.filter(pl.col("approach") == name) for name in results.approaches}
    if results.has_intervals:
        cells = {name: _single_gap(rows.row(0, named=True), results.enough) for name, rows in own.items()}
    else:
        cells = {name: _mean_gap(rows, results.enough) for name, rows in own.items()}
    return Row(label, tuple(cell.of_approaches(name) for name, cell in cells.items()))


def _single_gap(row: Mapping[str, Any], enough: int) -> Cell:
    """One model's gap with its interval."""
    if row["difference"] is None or row["findings_counted"] < enough:
        return Cell(NOTHING, reason=THIN)
    if row["lower"] is None:
        return Cell(signed(row["difference"]), "no interval", reason=row["reason"] or "")
    return Cell(signed(row["difference"]), difference_interval(row["lower"], row["upper"]))


def _mean_gap(rows: pl.DataFrame, enough: int) -> Cell:
    """Mean ± SD over the splits, seeds on one split first."""
    measured = rows.filter(pl.col("findings_counted") >= enough)
    means = measured.group_by("split").agg(pl.col("difference").mean())["difference"].drop_nulls().to_numpy()
    if not means.size:
        return Cell(NOTHING, reason=THIN)
    return Cell(signed(float(means.mean())), f"± {decimal(float(means.std(ddof=1)))}" if means.size > 1 else "")
