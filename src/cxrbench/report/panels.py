"""Small multiples: one curve a panel, with its band and a curve to compare it with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from cxrbench.report.drawing import FAINT, INK, RULE, Drawing, Look, Margins, Mark, drawing, sheet
from cxrbench.report.words import slug

SIDE, GAP, ABOVE, BELOW = 190.0, 56.0, 46.0, 26.0
"""Side of a panel, room between two columns, and room above and below a row, pixels."""
LEFT, RIGHT, BOTTOM = 64.0, 14.0, 24.0
"""Room for the labels of the axes and beside the last column, pixels."""
MOST_COLUMNS = 4
SMALL, SMALLER = 11.0, 10.0
"""Font sizes of what is said below a title, and of ticks."""


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        title: Name of what is drawn, in bold.
        said: Line below the title.
        approach: Approach whose curve it is.
        look: How that approach is drawn everywhere.
        x: Curve, from 0 to ``top``.
        y: Curve, from 0 to ``top``.
        band: Lower and upper end at each point of the curve; None where there is no band.
        reference: Another curve, drawn faintly.
        top: Upper end of both axes.
        top_said: How the upper end is written.
    """

    title: str
    said: str
    approach: str
    look: Look
    x: np.ndarray
    y: np.ndarray
    band: tuple[np.ndarray, np.ndarray] | None = None
    reference: tuple[np.ndarray, np.ndarray] | None = None
    top: float = 1.0
    top_said: str = "1"


def panels_figure(panels: Sequence[Panel], name: str, *, alt: str, x_label: str, y_label: str) -> Drawing:
    """Draw panels in rows of at most four, all with square axes that start at zero.

    Args:
        panels: Panels, in reading order.
        name: File name of the figure.
        alt: Description for those who cannot see the figure.
        x_label: Label of the horizontal axes.
        y_label: Label of the vertical axes.
    """
    columns = min(MOST_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    width = LEFT + columns * SIDE + (columns - 1) * GAP + RIGHT
    height = rows * (ABOVE + SIDE + BELOW) + BOTTOM
    marks: dict[str, Mark] = {}
    with sheet(width, height, Margins(0, 0, 0, 0)) as figure:
        axes = figure.subplots()
        axes.set(xlim=(0, width), ylim=(height, 0))
        axes.set_axis_off()
        for place, panel in enumerate(panels):
            row, column = divmod(place, columns)
            corner = (LEFT + column * (SIDE + GAP), row * (ABOVE + SIDE + BELOW) + ABOVE + SIDE)
            gid = slug(f"{panel.title} {panel.approach}")
            _draw(axes, panel, corner, gid)
            marks[gid] = Mark(f"{panel.title}: {panel.said}", panel.approach)
        axes.text(width / 2, height - 6, x_label, ha="center", va="bottom")
        axes.text(12, height / 2, y_label, ha="center", va="center", rotation=90)
        return drawing(figure, name, alt=alt, marks=marks)


def _draw(axes: Axes, panel: Panel, corner: tuple[float, float], gid: str) -> None:
    """One panel, its lower left corner at ``corner``, in pixels from the upper left of the figure."""
    left, bottom = corner
    right, top = left + SIDE, bottom - SIDE

    def across(x: np.ndarray) -> np.ndarray:
        return left + SIDE * np.clip(x / panel.top, 0, 1)

    def up(y: np.ndarray) -> np.ndarray:
        return bottom - SIDE * np.clip(y / panel.top, 0, 1)

    axes.plot([left, left, right], [top, bottom, bottom], color=FAINT, linewidth=0.7)
    axes.plot([left, right], [bottom, top], color=FAINT, linewidth=0.7, linestyle=(0, (1, 2)))
    if panel.reference is not None:
        axes.plot(across(panel.reference[0]), up(panel.reference[1]), color=RULE, linewidth=2.2)
    if panel.band is not None:
        low, high = map(up, panel.band)
        axes.fill_between(across(panel.x), low, high, color=panel.look.colour, alpha=0.18, linewidth=0)
    axes.plot(across(panel.x), up(panel.y), color=panel.look.colour, linestyle=panel.look.line, gid=gid)
    axes.text(left, top - 22, panel.title, fontweight="bold")
    axes.text(left, top - 7, panel.said, fontsize=SMALL, color=INK)
    for said, x, y, sides in (
        ("0", left, bottom + 4, ("left", "top")),
        (panel.top_said, right, bottom + 4, ("right", "top")),
        ("0", left - 5, bottom, ("right", "bottom")),
        (panel.top_said, left - 5, top, ("right", "top")),
    ):
        axes.text(x, y, said, ha=sides[0], va=sides[1], fontsize=SMALLER, color=FAINT)
