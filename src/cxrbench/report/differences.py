"""Differences between approaches: best against the rest, mean ranks, and single ingredients."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from matplotlib.axes import Axes

from cxrbench.evaluate.columns import MEAN
from cxrbench.report.blocks import Block, Choice, Choices, Figure, Note, Section, Shown
from cxrbench.report.drawing import INK, META, Drawing, Margins, Mark, drawing, room_for, sheet
from cxrbench.report.forest import NIL, Difference, difference_table, forest_figure
from cxrbench.report.selection import Results
from cxrbench.report.words import decimal, slug, title_of
from cxrbench.stats.critical_difference import alike

INGREDIENTS = (
    ("ft", "ots", "Fine-tuning, not the last layer only"),
    ("ft", "1channel", "Pre-trained, not random weights"),
    ("large", "1channel", "Larger input"),
    ("1channel", "resnet38-1channel", "50 layers, not 38"),
    ("large", "resnet38-large", "50 layers, not 38"),
    ("resnet101-1channel", "1channel", "101 layers, not 50"),
    ("resnet101-large", "large", "101 layers, not 50"),
)
"""The paper's approaches that differ in one ingredient: with it, without it, what it is."""

INGREDIENT_AXIS = "Difference in AUC; to the right the ingredient helps"

INGREDIENT_CAPTION = (
    "Pairs of approaches that differ in one ingredient, with 95 % intervals where there are enough patients."
)

WIDTH, TOP, LINE = 940.0, 58.0, 22.0


def difference(comparison: pl.DataFrame, first: str, second: str, *, label: str, topic: str = "") -> Difference | None:
    """``first`` minus ``second``; None when they were not compared.

    Args:
        comparison: ``comparison.csv`` of one kind of split and one finding.
        first: An approach.
        second: Another.
        label: Short name of the difference.
        topic: Ingredient in which the pair differs.
    """
    for a, b, is_turned in ((first, second, False), (second, first, True)):
        found = comparison.filter((pl.col("approach_a") == a) & (pl.col("approach_b") == b))
        if found.height:
            row = found.row(0, named=True)
            value, lower, upper = _turned(row) if is_turned else (row["difference"], row["lower"], row["upper"])
            return Difference(
                label=label,
                topic=topic,
                of=(first, second),
                value=value,
                lower=lower,
                upper=upper,
                p_value=row["p_value"],
                p_adjusted=row["p_adjusted"],
                detectable=row["smallest_detectable"],
                nil=row["probability_practically_nil"],
            )
    return None


def _turned(row: Mapping[str, Any]) -> tuple[float | None, float | None, float | None]:
    """Difference and interval the other way round."""
    value, lower, upper = (None if row[key] is None else -row[key] for key in ("difference", "upper", "lower"))
    return value, lower, upper


def from_best(comparison: pl.DataFrame, ranked: Sequence[str]) -> list[Difference]:
    """The best approach against every other, best first."""
    found = (difference(comparison, ranked[0], other, label=other) for other in ranked[1:])
    return [one for one in found if one is not None]


def by_ingredient(comparison: pl.DataFrame, approaches: Sequence[str]) -> list[Difference]:
    """Return the change by each ingredient, other things equal: the pairs that the paper's approaches were made for."""
    pairs = [(f"{name}{META}", name, "Age, sex and view") for name in approaches]
    pairs += [(a + end, b + end, topic) for a, b, topic in INGREDIENTS for end in ("", META)]
    there = set(approaches)
    found = (difference(comparison, a, b, label=f"{a} − {b}", topic=topic) for a, b, topic in pairs if {a, b} <= there)
    return [one for one in found if one is not None]


def difference_section(results: Results) -> Section | None:
    """Differences of the mean AUC with their intervals."""
    rows = [row for row in from_best(results.compared, results.ranked) if row.value is not None]
    if not rows:
        return None
    best = results.ranked[0]
    clear = "Filled: the interval excludes zero, and the p-value that allows for all pairs is below 0.05."
    with_intervals = f", with 95 % intervals. {clear}" if results.question else "."
    band = f"Grey band: differences within ± {NIL}, too small to matter."
    caption = f"{best} against every other approach{with_intervals} {band}"
    name = f"best-{results.kind}"
    table = difference_table(rows, name, about="Best approach against every other", results=results)
    blocks = (
        Figure(
            forest_figure(rows, name, axis=f"Mean AUC of {best} minus that of …", seen=results.seen_approaches), caption
        ),
        Shown(table, unfold="In numbers, with p-values"),
    )
    said = f"The intervals answer for: {results.question}." if results.question else _no_interval(results)
    return Section("How sure the differences are", (*blocks, Note(said), *_mean_ranks(results)))


def _no_interval(results: Results) -> str:
    return (
        f"No interval can be given ({results.why_no_interval}), so nothing is said of how sure these differences are."
    )


def _mean_ranks(results: Results) -> tuple[Block, ...]:
    """Mean ranks, where there are enough approaches for an order."""
    standing = results.tables.standing
    if standing.height < 3:
        return ()
    caption = (
        f"Mean rank over {standing['blocks'][0]} pairs of finding and split, 1 being the best. Bars join approaches "
        f"less than Nemenyi’s critical difference of {standing['critical_difference'][0]:.2f} apart. A description: "
        "findings and splits share patients, so the test behind the bars does not hold."
    )
    if said := rank_disagreement(results):
        caption += f" {said}"
    return (Figure(mean_rank_figure(results), caption),)


def rank_disagreement(results: Results) -> str:
    """Say why the best by mean rank is not the best by mean AUC; empty where they are the same or were not ranked."""
    standing = results.tables.standing
    if standing.height < 3 or not results.ranked:
        return ""
    ranks = dict(standing.sort("mean_rank", maintain_order=True).select("approach", "mean_rank").iter_rows())
    first, best = next(iter(ranks)), results.ranked[0]
    if ranks[first] == ranks[best]:
        return ""
    return (
        f"By mean rank {first} comes first ({decimal(ranks[first], 2)}, {best} {decimal(ranks[best], 2)}): "
        "ranks count who leads on each finding, the mean AUC by how much."
    )


def ingredient_section(results: Results) -> Section | None:
    """Pairs of approaches that differ in one ingredient, on the mean and on each finding."""
    name = f"ingredients-{results.kind}"
    choices = tuple(
        Choice(
            title_of(finding),
            (forest_figure(rows, f"{name}-{slug(finding)}", axis=INGREDIENT_AXIS, seen=results.seen_approaches),),
            f"{title_of(finding)}. {INGREDIENT_CAPTION}",
        )
        for finding in (MEAN, *results.findings)
        if (rows := _ingredient_rows(results, finding))
    )
    rows = _ingredient_rows(results, MEAN)
    if not rows:
        return None
    table = difference_table(rows, name, about="What each ingredient changes", results=results)
    return Section("What each ingredient changes", (Choices(choices), Shown(table, unfold="In numbers, with p-values")))


def _ingredient_rows(results: Results, finding: str) -> list[Difference]:
    """Differences that could be measured."""
    own = results.tables.comparison.filter(pl.col("finding") == finding)
    return [row for row in by_ingredient(own, results.approaches) if row.value is not None]


def mean_rank_figure(results: Results) -> Drawing:
    """A critical-difference diagram, best at the left; half of the approaches are named on either side."""
    standing = results.tables.standing.sort("mean_rank")
    places = list(standing.select("approach", "mean_rank").iter_rows())
    gap = float(standing["critical_difference"][0])
    groups = alike([rank for _, rank in places], gap)
    rows = -(-len(places) // 2)
    height = TOP + 9.0 * (len(groups) + 1) + LINE * (rows + 1)
    side = room_for(name for name, _ in places) + 40
    with sheet(WIDTH, height, Margins(left=side, right=side, top=34, bottom=6)) as figure:
        axes = figure.subplots()
        axes.set(xlim=(1, len(places)), ylim=(height - 40, 0))
        axes.xaxis.tick_top()
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.spines["top"].set_visible(True)
        axes.set_yticks([])
        axes.set_xticks(range(1, len(places) + 1))
        for number, (first, last) in enumerate(groups):
            y = 9.0 * (number + 1)
            axes.plot([places[first][1] - 0.03, places[last][1] + 0.03], [y, y], color=INK, linewidth=3.5)
        below = 9.0 * (len(groups) + 1)
        for place, (name, rank) in enumerate(places):
            line = place if place < rows else len(places) - 1 - place
            _draw_name(axes, results, name, rank, below + LINE * (line + 1), is_left=place < rows, of=len(places))
        marks = {slug(name): Mark(f"{name}: mean rank {decimal(rank, 2)}", name) for name, rank in places}
        listed = ", ".join(f"{name} {decimal(rank, 2)}" for name, rank in places)
        return drawing(figure, f"standing-{results.kind}", alt=f"Mean ranks, best first: {listed}.", marks=marks)


def _draw_name(axes: Axes, results: Results, name: str, rank: float, y: float, *, is_left: bool, of: int) -> None:
    """A line from the rank down and out to the approach's name."""
    end = 1 if is_left else of
    look = results.looks[name]
    axes.plot([rank, rank, end], [0, y, y], color=look.colour, linestyle=look.line, linewidth=1.4, gid=slug(name))
    axes.annotate(
        f"{results.label(name)}  {decimal(rank, 2)}" if is_left else f"{decimal(rank, 2)}  {results.label(name)}",
        (end, y),
        xytext=(-6 if is_left else 6, 0),
        textcoords="offset points",
        ha="right" if is_left else "left",
        va="center",
        annotation_clip=False,
        color=INK,
    )
