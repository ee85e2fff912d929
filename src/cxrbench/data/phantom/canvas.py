"""The plane of the film: body coordinates in cm, and shapes drawn on it.

The body frame has its origin on the midline at the level of the lungs' apices; x grows to the patient's left (right in
the picture), y towards the feet. Everything is described in cm, so that a film looks the same at every size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from cxrbench.data.phantom.shapes import Map, Points

FIELD_CM = 40.0
"""Side of the film."""
APEX_CM = 6.0
"""Height of film above the lungs' apices."""
SUBPIXEL_BITS = 4
SHARP_PX = 512
"""Shapes are drawn on at least so many pixels and then shrunk, so that small films show thin lines faintly."""
THINNEST_PX = 0.35
"""Tubes thinner than this on the sharp grid are left out."""

Sheet = NDArray[np.uint8]


@dataclass(frozen=True)
class Canvas:
    """A square film and where the body stands on it."""

    side_px: int
    tilt_deg: float = 0.0
    zoom: float = 1.0
    shift_cm: tuple[float, float] = (0.0, 0.0)

    @property
    def pixel_cm(self) -> float:
        """Width of a pixel on the film."""
        return FIELD_CM / self.side_px

    @cached_property
    def grid(self) -> tuple[Map, Map]:
        """Body x and y of every pixel's centre, each (H, W), cm."""
        centres = (np.arange(self.side_px, dtype=np.float32) + 0.5) * self.pixel_cm
        back = np.linalg.inv(self._to_film[:, :2]).astype(np.float32)
        right, down = centres - self._to_film[0, 2].astype(np.float32), centres - self._to_film[1, 2].astype(np.float32)
        x = back[0, 0] * right[None, :] + back[0, 1] * down[:, None]
        y = back[1, 0] * right[None, :] + back[1, 1] * down[:, None]
        return x, y

    def paint(self, shapes: Sequence[tuple[Points, float]], top: float) -> Map:
        """Fill outlines one over the other.

        Args:
            shapes: Outlines (K, 2) in cm and the value inside, 0 to ``top``; later ones cover earlier ones.
            top: Largest value; values are kept in 255 steps of it.
        """
        sheet = self._sheet()
        for outline, value in shapes:
            cv2.fillPoly(sheet, [self._positions(outline)], (round(255 * value / top),), cv2.LINE_AA, SUBPIXEL_BITS)
        return self._shrunk(sheet, top)

    def tubes(self, starts: Points, ends: Points, widths: NDArray[np.float64], *, top: float) -> Map:
        """Draw straight tubes (K,), thinnest first; the value on the axis is the tube's width, at most ``top``, cm."""
        wide_px = widths * (self.zoom * self._sharp_px / FIELD_CM)
        order = [at for at in np.argsort(widths).tolist() if wide_px[at] >= THINNEST_PX]
        drawn_px = np.maximum(1, np.round(wide_px)).astype(int)
        values = np.minimum(255, 255 * widths / top * np.minimum(1, wide_px / drawn_px)).round().astype(int)
        lines = np.concatenate([self._positions(starts), self._positions(ends)], axis=1).tolist()
        widths_px, levels = drawn_px.tolist(), values.tolist()
        sheet = self._sheet()
        for at in order:
            x, y, end_x, end_y = lines[at]
            cv2.line(sheet, (x, y), (end_x, end_y), (levels[at],), widths_px[at], cv2.LINE_AA, SUBPIXEL_BITS)
        return self._shrunk(sheet, top)

    def noise(self, cell_cm: float, rng: np.random.Generator) -> Map:
        """Smooth random field, mean 0, SD about 1, whose grains are about two cells wide; the same at every size."""
        cells = int(np.ceil(FIELD_CM / cell_cm)) + 1
        coarse = rng.standard_normal((cells, cells), dtype=np.float32) * np.float32(1.35)
        return np.asarray(cv2.resize(coarse, (self.side_px, self.side_px), interpolation=cv2.INTER_CUBIC))

    @cached_property
    def _to_film(self) -> NDArray[np.float64]:
        """(2, 3) affine from body cm to film cm, origin in the upper left corner."""
        angle = np.deg2rad(self.tilt_deg)
        turn = self.zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        middle = np.array([0.0, FIELD_CM / 2 - APEX_CM])  # the body turns about the middle of the film
        offset = np.full(2, FIELD_CM / 2) + np.array(self.shift_cm) - turn @ middle
        return np.column_stack([turn, offset])

    @cached_property
    def _sharp_px(self) -> int:
        """Side on which shapes are drawn: a multiple of the film's."""
        return self.side_px * max(1, -(-SHARP_PX // self.side_px))

    def _sheet(self) -> Sheet:
        """An empty sheet to draw on."""
        return np.zeros((self._sharp_px, self._sharp_px), np.uint8)

    def _positions(self, points: Points) -> NDArray[np.int32]:
        """(K, 2) positions on the sharp grid, in fractions of a pixel as OpenCV counts them."""
        film = points @ self._to_film[:, :2].T + self._to_film[:, 2]
        pixels = film * (self._sharp_px / FIELD_CM) - 0.5
        return np.asarray(np.round(pixels * 2**SUBPIXEL_BITS), np.int32)

    def _shrunk(self, sheet: Sheet, top: float) -> Map:
        """A sharp drawing in the film's pixels."""
        side = (self.side_px, self.side_px)
        small = sheet if self._sharp_px == self.side_px else cv2.resize(sheet, side, interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.float32) * np.float32(top / 255)
