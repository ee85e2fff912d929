"""Mean ranks on a line, joined where they are less than a critical difference apart."""

from matplotlib.axes import Axes

from cxrbench.report.drawing import Drawing, Margins, Mark, drawing, room_for, sheet
from cxrbench.report.palette import INK
from cxrbench.report.results import Results
from cxrbench.report.words import decimal, slug
from cxrbench.stats.critical_difference import alike

WIDTH, TOP, LINE = 940.0, 58.0, 22.0


def standing_figure(results: Results) -> Drawing:
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
            _name(axes, results, name, rank, below + LINE * (line + 1), is_left=place < rows, of=len(places))
        marks = {slug(name): Mark(f"{name}: mean rank {decimal(rank, 2)}", name) for name, rank in places}
        listed = ", ".join(f"{name} {decimal(rank, 2)}" for name, rank in places)
        return drawing(figure, f"standing-{results.kind}", alt=f"Mean ranks, best first: {listed}.", marks=marks)


def _name(axes: Axes, results: Results, name: str, rank: float, y: float, *, is_left: bool, of: int) -> None:
    """A line from the rank down and out to the approach's name."""
    end = 1 if is_left else of
    look = results.looks[name]
    dashes = (0, look.dashes) if look.is_dashed else "solid"
    axes.plot([rank, rank, end], [0, y, y], color=look.colour, linestyle=dashes, linewidth=1.4, gid=slug(name))
    axes.annotate(
        f"{name}  {decimal(rank, 2)}" if is_left else f"{decimal(rank, 2)}  {name}",
        (end, y),
        xytext=(-6 if is_left else 6, 0),
        textcoords="offset points",
        ha="right" if is_left else "left",
        va="center",
        annotation_clip=False,
        color=INK,
    )
