"""Measures of one run with their interval, or of several runs as they are, and their forest plot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from cxrbench.report.drawing import FAINT, PAPER, RULE, Drawing, Margins, Mark, drawing, room_for, sheet
from cxrbench.report.selection import Results
from cxrbench.report.table import Cell
from cxrbench.report.words import NOTHING, decimal, interval, signed, slug

ONE_RUN = (
    "Lines: 95 % intervals for new patients, the films of a patient kept together and the models "
    "unchanged. No line: too few patients."
)

SEVERAL_RUNS = (
    "A dot per run, a bar at their mean. The spread of the dots is not an interval, since runs share patients."
)

LINE, GAP, TOP, BOTTOM, WIDTH = 13.0, 16.0, 34.0, 50.0, 940.0


@dataclass(frozen=True)
class Estimate:
    """A measure.

    Attributes:
        values: Value of each run.
        lower: Lower end of the 95 % interval for new patients; None of several runs, which share patients.
        upper: Upper end.
        reason: Why one run has no interval.
    """

    values: tuple[float, ...]
    lower: float | None = None
    upper: float | None = None
    reason: str = ""

    @property
    def value(self) -> float:
        """The mean over the runs."""
        return float(np.mean(self.values))

    def said(self, digits: int) -> str:
        """In words: the value and how sure it is."""
        return (
            f"{decimal(self.value, digits)} ({detail})"
            if (detail := self.detail(digits))
            else decimal(self.value, digits)
        )

    def detail(self, digits: int) -> str:
        """Interval, or SD over the runs."""
        if len(self.values) > 1:
            return f"± {decimal(float(np.std(self.values, ddof=1)), digits)}"
        return "" if self.lower is None else interval(self.lower, self.upper, digits)


def estimate_of(rows: pl.DataFrame, column: str = "estimate", *, prefix: str = "") -> Estimate | None:
    """A measure of one row per run; None where no run has it.

    Args:
        rows: Rows with the column, ``lower`` and ``upper``.
        column: Column of the measure.
        prefix: Start of the names of the interval's ends.
    """
    known = rows.drop_nulls(column)
    if known.height != 1:
        return Estimate(tuple(known[column])) if known.height else None
    row = known.row(0, named=True)
    return Estimate((row[column],), row[f"{prefix}lower"], row[f"{prefix}upper"], row["reason"] or "")


def estimate_cell(
    estimate: Estimate | None, *, digits: int, is_difference: bool = False, of: tuple[str, ...] = ()
) -> Cell:
    """Return a cell of a table; a difference whose interval is above zero is bold.

    Args:
        estimate: Estimate to show; None leaves a dash.
        digits: Decimals.
        is_difference: Show the sign always.
        of: Approaches whose test results went into it.
    """
    if estimate is None:
        return Cell(NOTHING)
    shown = (signed if is_difference else decimal)(estimate.value, digits)
    is_clear = is_difference and estimate.lower is not None and estimate.lower > 0
    return Cell(shown, estimate.detail(digits), is_best=is_clear, of=of)


def rows_of_kind(table: pl.DataFrame, results: Results) -> pl.DataFrame:
    """Rows of the runs on this kind of split."""
    return table.filter(pl.col("split").is_in(results.tables.splits["split"].unique().implode()))


def ordered_approaches(results: Results, names: pl.Series) -> list[str]:
    """The approaches among some names, the best first."""
    there = set(names)
    return [name for name in dict.fromkeys((*results.ranked, *results.approaches)) if name in there]


def runs_of(rows: pl.DataFrame) -> int:
    """Number of runs of one approach in a table."""
    return rows.select("split", "seed").n_unique()


def spread_caption(rows: pl.DataFrame) -> str:
    """Explanation of the lines or dots of a figure."""
    return ONE_RUN if runs_of(rows) == 1 else SEVERAL_RUNS


def described_spread(rows: pl.DataFrame) -> str:
    """Description of what stands below the numbers of a table."""
    return "with 95 % intervals for new patients" if runs_of(rows) == 1 else f"mean ± SD over {runs_of(rows)} runs"


@dataclass(frozen=True)
class Series:
    """One thing that is measured in every row.

    Attributes:
        label: Name in the legend.
        colour: Colour of its marks.
        marker: Matplotlib's name of it.
        estimates: By row; absent where nothing could be measured.
        is_hollow: Others are measured against it.
    """

    label: str
    colour: str
    marker: str
    estimates: Mapping[str, Estimate]
    is_hollow: bool = False

    @property
    def face(self) -> str:
        """Colour inside a mark."""
        return PAPER if self.is_hollow else self.colour


@dataclass(frozen=True)
class Axis:
    """The axis of the values.

    Attributes:
        label: Label, with the unit.
        limits: Ends of the axis; None: as wide as the estimates.
        chance: Value that luck gives, drawn as a line.
        digits: Decimals of the numbers shown.
    """

    label: str
    limits: tuple[float, float] | None = None
    chance: float | None = None
    digits: int = 2


def estimates_figure(rows: Mapping[str, str], series: Sequence[Series], name: str, *, axis: Axis) -> Drawing:
    """One row per finding, in it a line per series: its interval, or a dot per run and a bar at their mean.

    Args:
        rows: Keys of the estimates and how they are called, from top to bottom; the last one is a summary.
        series: Series, from top to bottom in each row.
        name: File name of the figure.
        axis: Axis of the values.
    """
    row_height = GAP + LINE * len(series)
    margins = Margins(left=room_for(rows.values()), top=TOP, bottom=BOTTOM)
    marks: dict[str, Mark] = {}
    with sheet(WIDTH, TOP + BOTTOM + row_height * len(rows), margins) as figure:
        axes = figure.subplots()
        if axis.chance is not None:
            axes.axvline(axis.chance, color=FAINT, linewidth=0.8)
        for place, (row, title) in enumerate(rows.items()):
            axes.axhline(place - 0.5, color=FAINT if place == len(rows) - 1 else RULE, linewidth=0.6)
            for step, one in enumerate(series):
                if measured := one.estimates.get(row):
                    height = place + LINE * (step - (len(series) - 1) / 2) / row_height
                    gid = slug(f"{row} {one.label}")
                    _draw_estimate(axes, height, one, measured, gid, tall=0.4 * LINE / row_height)
                    marks[gid] = Mark(f"{title}, {one.label}: {measured.said(axis.digits)}")
        axes.set_yticks(range(len(rows)), list(rows.values()))
        axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel=axis.label)
        if axis.limits:
            axes.set_xlim(*axis.limits)
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        if len(series) > 1:
            _legend(axes, series)
        return drawing(figure, name, alt=_alt(rows, series, axis), marks=marks)


def _draw_estimate(axes: Axes, height: float, one: Series, measured: Estimate, gid: str, *, tall: float) -> None:
    """A point with its interval; of several runs a dot each, and a bar at their mean."""
    size = 6.0
    if len(measured.values) > 1:
        size = 3.5
        axes.plot([measured.value] * 2, [height - tall, height + tall], color=one.colour, linewidth=2.5)
    if measured.lower is not None and measured.upper is not None:
        axes.plot([measured.lower, measured.upper], [height, height], color=one.colour, linewidth=2)
    heights = [height] * len(measured.values)
    axes.plot(
        measured.values, heights, one.marker, color=one.colour, markerfacecolor=one.face, markersize=size, gid=gid
    )


def _legend(axes: Axes, series: Sequence[Series]) -> None:
    """Legend of the marks, above the axes."""
    handles = [
        Line2D([], [], color=one.colour, marker=one.marker, markerfacecolor=one.face, label=one.label) for one in series
    ]
    axes.legend(
        handles=handles, ncols=len(series), frameon=False, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2
    )


def _alt(rows: Mapping[str, str], series: Sequence[Series], axis: Axis) -> str:
    """The means, in words."""
    told = (
        f"{one.label}: "
        + ", ".join(
            f"{title} {decimal(one.estimates[row].value, 2)}" for row, title in rows.items() if row in one.estimates
        )
        for one in series
    )
    return f"Forest plot. {axis.label}. {'; '.join(told)}."
