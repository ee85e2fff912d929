"""Differences with their intervals, one row each: a forest plot."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from cxrbench.report.drawing import Drawing, Mark, drawing, sheet
from cxrbench.report.palette import ACCENT, FAINT, INK, RULE
from cxrbench.report.words import interval, signed

ROW, MARGIN, WIDTH = 25.0, 58.0, 700.0
PRACTICALLY_NIL = 0.01


@dataclass(frozen=True)
class Difference:
    """One row of a forest plot."""

    label: str
    value: float | None
    lower: float | None
    upper: float | None
    note: str = ""

    @property
    def is_clear(self) -> bool:
        """Whether the interval excludes zero."""
        return self.lower is not None and self.upper is not None and (self.lower > 0 or self.upper < 0)

    def __str__(self) -> str:
        if self.lower is None:
            return signed(self.value)
        return f"{signed(self.value)} ({interval(self.lower, self.upper)})"


def forest_figure(rows: Sequence[Difference], name: str, *, axis: str) -> Drawing:
    """Draw differences around zero; the grey band holds those that are practically nil.

    Args:
        rows: From top to bottom; those whose interval excludes zero are drawn filled.
        name: Of the figure.
        axis: What is on the axis, and which side favours what.
    """
    with sheet(WIDTH, MARGIN + ROW * len(rows)) as figure:
        axes = figure.subplots()
        axes.axvspan(-PRACTICALLY_NIL, PRACTICALLY_NIL, color=RULE, alpha=0.5, linewidth=0)
        axes.axvline(0, color=FAINT, linewidth=0.8)
        for place, row in enumerate(rows):
            _draw(axes, place, row)
        reach = max([2 * PRACTICALLY_NIL, *(abs(end) for row in rows for end in _ends(row))])
        axes.set(xlim=(-1.08 * reach, 1.08 * reach), ylim=(len(rows) - 0.5, -0.5), xlabel=axis)
        axes.set_yticks(range(len(rows)), [row.label for row in rows])
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        marks = {f"row-{place}": Mark(_title(row)) for place, row in enumerate(rows) if row.value is not None}
        listed = "; ".join(map(_title, rows))
        return drawing(figure, name, alt=f"Forest plot. {axis}. {listed}.", marks=marks)


def _draw(axes: Axes, place: int, row: Difference) -> None:
    """A point, its interval, and both as text at the right."""
    colour = ACCENT if row.is_clear else FAINT
    if row.lower is not None and row.upper is not None:
        axes.plot([row.lower, row.upper], [place, place], color=colour, linewidth=1.8)
    if row.value is not None:
        filled = colour if row.is_clear else "white"
        axes.plot([row.value], [place], "o", color=colour, markerfacecolor=filled, markersize=6.5, gid=f"row-{place}")
    axes.annotate(str(row), (1.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=9.5, color=INK)


def _ends(row: Difference) -> list[float]:
    """What must lie within the axis."""
    return [end for end in (row.value, row.lower, row.upper) if end is not None]


def _title(row: Difference) -> str:
    return f"{row.label}: {row}" + (f", {row.note}" if row.note else "")
