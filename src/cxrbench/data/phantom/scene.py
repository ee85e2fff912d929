"""Everything that a sign needs to know about the film on which it is drawn."""

from dataclasses import dataclass

import numpy as np

from cxrbench.data.phantom.build import Build, Pose
from cxrbench.data.phantom.canvas import FIELD_CM, Canvas
from cxrbench.data.phantom.cavity import border, wall
from cxrbench.data.phantom.shapes import Map


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

    @property
    def height(self) -> Map:
        """(H, W): 0 at the lungs' apices, 1 at the right dome."""
        return self.canvas.grid[1] / self.build.lung_height

    def reach(self, side: int) -> Map:
        """Distance from the midline towards one side (1 the patient's left), cm; negative on the other."""
        return self.canvas.grid[0] if side > 0 else -self.canvas.grid[0]

    def from_wall(self, side: int) -> Map:
        """Distance from the chest wall of one side inwards, horizontally, cm; 0 outside."""
        return np.clip(wall(self.canvas.grid[1], self.build) - self.reach(side), 0, None)

    def distance(self, centre: tuple[float, float], radius_x: float, radius_y: float | None = None) -> Map:
        """Relative distance from a point: 1 on the ellipse with these radii, cm."""
        x, y = self.canvas.grid
        relative: Map = np.hypot((x - centre[0]) / radius_x, (y - centre[1]) / (radius_y or radius_x))
        return relative

    def place(self, side: int, height: float, depth: float) -> tuple[float, float]:
        """A point of one lung, cm: ``height`` 0 at the apex, 1 at the dome; ``depth`` 0 at the heart, 1 at the wall."""
        row = np.array([height * self.build.lung_height], np.float32)
        inner, outer = float(border(row, self.build, side)[0]), float(wall(row, self.build)[0])
        return side * (inner + depth * (outer - inner)), float(row[0])


@dataclass(frozen=True)
class Instance:
    """One lesion to be drawn."""

    strength: float
    """0 nothing, 1 unmistakable; beyond with more conspicuity."""
    side: int
    """1 the patient's left, -1 the right."""
    rng: np.random.Generator
    """The patient's own for this finding, so that a lesion stays where it is from film to film."""
