"""Differences with their intervals: the value, its forest plot and its table."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby

from matplotlib.axes import Axes

from cxrbench.report.drawing import ACCENT, FAINT, INK, PAPER, RULE, Drawing, Margins, Mark, drawing, room_for, sheet
from cxrbench.report.selection import Results
from cxrbench.report.table import Cell, Row, Table
from cxrbench.report.words import CUT_SAID, NOTHING, SEEN_MARK, decimal, difference_interval, p_value, signed

NIL = 0.01
"""AUC differences up to this size are practically nil, here and in ``comparison.csv``."""

LEVEL = 0.05

ROW, MARGIN, WIDTH = 28.0, 62.0, 940.0

NUMBERS = 185.0
"""Width of the column of numbers, pixels."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing minus another."""

    label: str
    topic: str = ""
    """Ingredient in which the pair differs; empty when that is not the point."""
    of: tuple[str, ...] = ()
    """Approaches whose test results went into it: the one, then the other."""
    value: float | None
    lower: float | None = None
    upper: float | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    detectable: float | None = None
    """The smallest difference that would be detected."""
    nil: float | None = None
    """Probability that the difference is practically nil."""

    @property
    def is_cut(self) -> bool:
        """The interval goes on beyond what a difference of AUCs can be."""
        return any(end is not None and abs(end) > 1 for end in (self.lower, self.upper))

    @property
    def is_clear(self) -> bool:
        """The interval excludes zero, and so does the test that allows for all comparisons, if there is one."""
        if self.lower is None or self.upper is None or self.lower <= 0 <= self.upper:
            return False
        return self.p_adjusted is None or self.p_adjusted < LEVEL

    def __str__(self) -> str:
        if self.lower is None:
            return signed(self.value)
        return f"{signed(self.value)} ({difference_interval(self.lower, self.upper)})"


def forest_figure(rows: Sequence[Difference], name: str, *, axis: str, seen: Collection[str] = frozenset()) -> Drawing:
    """Draw differences around zero; the grey band holds those that are practically nil.

    Args:
        rows: Differences from top to bottom, those of one topic together; filled where the interval excludes zero.
        name: File name of the figure.
        axis: Label of the axis, with the side that favours what.
        seen: Approaches whose numbers carry the mark of weights that saw test films.
    """
    lines = _lines(rows)
    labels = [line if isinstance(line, str) else line.label for line in lines]
    margins = Margins(left=room_for(labels), right=NUMBERS)
    with sheet(WIDTH, MARGIN + ROW * len(lines), margins) as figure:
        axes = figure.subplots()
        axes.axvspan(-NIL, NIL, color=RULE, alpha=0.5, linewidth=0)
        axes.axvline(0, color=FAINT, linewidth=0.8)
        axes.set_yticks(range(len(lines)), labels)
        limits = _limits(rows)
        for place, line in enumerate(lines):
            if isinstance(line, str):
                axes.get_yticklabels()[place].set_fontweight("bold")
            else:
                _draw_line(axes, place, line, limits)
                said = f"{line}{SEEN_MARK}" if set(seen) & set(line.of) else str(line)
                axes.annotate(said, (1.01, place), xycoords=("axes fraction", "data"), va="center", color=INK)
        axes.set(xlim=limits, ylim=(len(lines) - 0.5, -0.5), xlabel=axis)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        marks = {
            f"row-{place}": Mark(f"{line.label}: {line}")
            for place, line in enumerate(lines)
            if not isinstance(line, str) and line.value is not None
        }
        listed = "; ".join(f"{row.label}: {row}" for row in rows)
        return drawing(figure, name, alt=f"Forest plot. {axis}. {listed}.", marks=marks)


def _lines(rows: Sequence[Difference]) -> list[Difference | str]:
    """Rows, with their topic on a line above them where they have one."""
    lines: list[Difference | str] = []
    for topic, together in groupby(rows, key=lambda row: row.topic):
        lines += [topic] if topic else []
        lines += together
    return lines


def _draw_line(axes: Axes, place: int, line: Difference, limits: tuple[float, float]) -> None:
    """A point and its interval, cut with an arrow where it goes on beyond the axis."""
    colour = ACCENT if line.is_clear else FAINT
    if line.lower is not None and line.upper is not None:
        inside = 0.015 * (limits[1] - limits[0])  # so that an arrow stays clear of the labels
        ends = [max(line.lower, limits[0] + inside), min(line.upper, limits[1] - inside)]
        axes.plot(ends, [place, place], color=colour, linewidth=2)
        for end, arrow, is_cut in zip(ends, "<>", (line.lower < limits[0], line.upper > limits[1]), strict=True):
            if is_cut:
                axes.plot([end], [place], arrow, color=colour, markersize=8)
    if line.value is not None:
        filled = colour if line.is_clear else PAPER
        axes.plot([line.value], [place], "o", color=colour, markerfacecolor=filled, markersize=7, gid=f"row-{place}")


def _limits(rows: Sequence[Difference]) -> tuple[float, float]:
    """Room for every difference, for the band around zero, and for intervals that do not dwarf them."""
    values = [row.value for row in rows if row.value is not None]
    ends = [end for row in rows for end in (row.lower, row.upper) if end is not None]
    reach = min(1.0, max(0.1, 4 * max(map(abs, values), default=0.0)))
    low, high = min([-2 * NIL, *values, *ends]), max([2 * NIL, *values, *ends])
    margin = 0.04 * (min(high, reach) - max(low, -reach))
    return max(low - margin, -reach), min(high + margin, reach)


def difference_table(rows: Sequence[Difference], name: str, *, about: str, results: Results) -> Table:
    """Difference of the mean AUC, its interval, test, what could have been seen, and how likely it is nil."""
    return Table(
        name=name,
        caption=f"{about}, mean AUC over the pathologies. {results.title}.",
        columns=("Comparison", "Difference", "95 % interval", "p", "p, Holm", "Detectable", f"within ± {NIL}"),
        rows=tuple(map(_difference_row, rows)),
        note="Holm: adjusted for all pairs of approaches. Detectable: the smallest difference that this study would "
        f"show with a power of 80 %. Last column: probability that the true difference is within ± {NIL}, where known."
        + (f" {CUT_SAID}" if any(row.is_cut for row in rows) else ""),
    )


def _difference_row(row: Difference) -> Row:
    cells = (
        signed(row.value),
        difference_interval(row.lower, row.upper),
        p_value(row.p_value),
        p_value(row.p_adjusted),
        decimal(row.detectable),
        NOTHING if row.nil is None else decimal(row.nil, 2),
    )
    label = f"{row.topic}: {row.label}" if row.topic else row.label
    return Row(
        label, tuple(Cell(text, is_best=row.is_clear and place == 0, of=row.of) for place, text in enumerate(cells))
    )
