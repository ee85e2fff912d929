"""Everything that a sign needs to know about the film on which it is drawn."""

from dataclasses import dataclass, replace

import numpy as np

from cxrbench.data.phantom import cavity
from cxrbench.data.phantom.build import Build, Pose
from cxrbench.data.phantom.canvas import FIELD_CM, Canvas, Map
from cxrbench.data.phantom.tissue import Tissue


@dataclass(frozen=True)
class Scene:
    """A patient, posed on a film."""

    canvas: Canvas
    build: Build
    pose: Pose
    detail_px: int

    @property
    def detail_cm(self) -> float:
        """Pixel of the smallest input that shows small nodules, in body cm."""
        return FIELD_CM / self.detail_px / self.canvas.zoom

    def reach(self, side: int) -> Map:
        """Distance from the midline towards one side (1 the patient's left), cm; negative on the other."""
        return np.float32(side) * self.canvas.grid[0]

    def inside_wall(self, side: int) -> Map:
        """Distance from the chest wall of one side inwards, measured horizontally, cm."""
        return cavity.wall(self.canvas.grid[1], self.build) - self.reach(side)

    def place(self, side: int, height: float, depth: float) -> tuple[float, float]:
        """A point of one lung, cm: ``height`` 0 at the apex, 1 at the dome; ``depth`` 0 at the heart, 1 at the wall."""
        row = np.array([height * self.build.lung_height], np.float32)
        border = (cavity.left_border if side > 0 else cavity.right_border)(row, self.build)[0]
        wall = cavity.wall(row, self.build)[0]
        return side * float(border + depth * (wall - border)), float(row[0])

    def distance(self, centre: tuple[float, float], radius_x: float, radius_y: float | None = None) -> Map:
        """Relative distance from a point: 1 on the ellipse with these radii, cm."""
        x, y = self.canvas.grid
        return np.hypot((x - centre[0]) / radius_x, (y - centre[1]) / (radius_y or radius_x)).astype(np.float32)


def filled(tissue: Tissue, share: Map) -> Tissue:
    """The same with a share of the air in the lung replaced by fluid or cells."""
    return replace(tissue, density=tissue.density + np.clip(share, 0, 1) * (1 - tissue.density))


def step(distance: Map, softness: float) -> Map:
    """1 well above 0, 0 well below, over ``softness``."""
    return (1 / (1 + np.exp(np.clip(-distance / softness, -30, 30)))).astype(np.float32)
