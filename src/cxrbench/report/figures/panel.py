"""A small panel with one curve per approach."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from cxrbench.report.drawing import Mark
from cxrbench.report.palette import Look
from cxrbench.report.words import slug

SIDE = 300.0
"""Width of a panel, CSS pixels."""


@dataclass(frozen=True)
class Curve:
    """One approach's curve."""

    approach: str
    x: np.ndarray
    y: np.ndarray
    said: str
    """Shown when it is pointed at."""


def draw_curves(axes: Axes, curves: Sequence[Curve], looks: Mapping[str, Look]) -> dict[str, Mark]:
    """Draw each curve in its approach's colour and dashes; returns what they stand for."""
    for curve in curves:
        look = looks[curve.approach]
        dashes = (0, look.dashes) if look.is_dashed else "solid"
        axes.plot(curve.x, curve.y, color=look.colour, linestyle=dashes, linewidth=1.5, gid=slug(curve.approach))
    return {slug(curve.approach): Mark(f"{curve.approach}: {curve.said}", curve.approach) for curve in curves}
