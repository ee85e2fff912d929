"""The plane of the film: body coordinates in cm, and shapes drawn on it.

The body frame has its origin on the midline at the level of the lungs' apices; x grows to the patient's left (right in
the picture), y towards the feet. Everything is described in cm, so a film looks the same at every size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]  # (H, W), a quantity over the film
Points = NDArray[np.float64]  # (K, 2) x and y, cm

FIELD_CM = 40.0
"""Side of the film."""
APEX_CM = 6.0
"""Height of film above the lungs' apices."""
SUBPIXEL_BITS = 4
SHARP_PX = 512
"""Shapes are drawn on at least so many pixels and then shrunk, so that small films show thin lines faintly."""


@dataclass(frozen=True)
class Canvas:
    """A square film and where the body stands on it."""

    side_px: int
    tilt_deg: float = 0.0
    zoom: float = 1.0
    shift_cm: tuple[float, float] = (0.0, 0.0)

    @cached_property
    def to_film(self) -> NDArray[np.float64]:
        """(2, 3) affine from body cm to film cm, origin in the upper left corner."""
        angle = np.deg2rad(self.tilt_deg)
        turn = self.zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        middle = np.array([0.0, FIELD_CM / 2 - APEX_CM])  # the body turns about the middle of the film
        offset = np.full(2, FIELD_CM / 2) + np.array(self.shift_cm) - turn @ middle
        return np.column_stack([turn, offset])

    @cached_property
    def grid(self) -> tuple[Map, Map]:
        """Body x and y of every pixel's centre, each (H, W), cm."""
        centres = (np.arange(self.side_px, dtype=np.float32) + 0.5) * (FIELD_CM / self.side_px)
        back = np.linalg.inv(self.to_film[:, :2]).astype(np.float32)
        u, v = centres - np.float32(self.to_film[0, 2]), centres - np.float32(self.to_film[1, 2])
        x = back[0, 0] * u[None, :] + back[0, 1] * v[:, None]
        y = back[1, 0] * u[None, :] + back[1, 1] * v[:, None]
        return x, y

    @property
    def pixel_cm(self) -> float:
        """Width of a pixel on the film."""
        return FIELD_CM / self.side_px

    @cached_property
    def _sharp_px(self) -> int:
        """Side on which shapes are drawn: a multiple of the film's."""
        return self.side_px * max(1, -(-SHARP_PX // self.side_px))

    def pixels(self, points: Points) -> NDArray[np.float64]:
        """(K, 2) positions on the sharp grid; whole numbers are pixel centres."""
        film = points @ self.to_film[:, :2].T + self.to_film[:, 2]
        return film * (self._sharp_px / FIELD_CM) - 0.5

    def paint(self, shapes: Sequence[tuple[Points, float]], top: float) -> Map:
        """Fill outlines one over the other.

        Args:
            shapes: Outlines (K, 2) in cm and the value inside, 0 to ``top``; later ones cover earlier ones.
            top: Largest value; values are kept in 255 steps of it.
        """
        sheet = np.zeros((self._sharp_px, self._sharp_px), np.uint8)
        for outline, value in shapes:
            corners = np.round(self.pixels(outline) * 2**SUBPIXEL_BITS).astype(np.int32)
            cv2.fillPoly(sheet, [corners], (round(255 * value / top),), cv2.LINE_AA, SUBPIXEL_BITS)
        return self._shrunk(sheet, top)

    def strokes(self, starts: Points, ends: Points, widths: NDArray[np.float64], *, top: float) -> Map:
        """Draw straight tubes (K,), thinnest first; the value on the axis is the tube's width, at most ``top``, cm."""
        sheet = np.zeros((self._sharp_px, self._sharp_px), np.uint8)
        order = np.argsort(widths)
        first, last = (np.round(self.pixels(at[order]) * 2**SUBPIXEL_BITS).astype(np.int32).tolist() for at in (starts, ends))
        wide = widths[order] * (self.zoom * self._sharp_px / FIELD_CM)  # (K,) pixels
        drawn = np.maximum(1, np.round(wide)).astype(int)
        values = np.minimum(255, 255 * widths[order] / top * np.minimum(1, wide / drawn)).round().tolist()
        for start, end, value, width in zip(first, last, values, drawn.tolist(), strict=True):
            cv2.line(sheet, start, end, (value,), width, cv2.LINE_AA, SUBPIXEL_BITS)
        return self._shrunk(sheet, top)

    def _shrunk(self, sheet: NDArray[np.uint8], top: float) -> Map:
        """A sharp drawing in the film's pixels."""
        small = sheet if self._sharp_px == self.side_px else cv2.resize(sheet, (self.side_px,) * 2, interpolation=cv2.INTER_AREA)
        return small.astype(np.float32) * np.float32(top / 255)

    def noise(self, cell_cm: float, rng: np.random.Generator) -> Map:
        """Smooth random field, mean 0, SD about 1, whose grains are about two cells wide."""
        cells = int(np.ceil(FIELD_CM / cell_cm)) + 1
        coarse = rng.standard_normal((cells, cells), dtype=np.float32) * np.float32(1.35)
        return smooth_resize(coarse, self.side_px)


def smooth_resize(values: Map, side_px: int) -> Map:
    """Resize a smooth square map."""
    return np.asarray(cv2.resize(values, (side_px, side_px), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def blur(values: Map, sigma_px: float) -> Map:
    """Gaussian blur; wide ones on a coarser grid, where the difference cannot be seen."""
    side = values.shape[0]
    step = int(max(1, sigma_px // 4))
    if step == 1:
        return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma_px, borderType=cv2.BORDER_REPLICATE), dtype=np.float32)
    coarse_px = max(8, side // step)
    coarse = cv2.resize(values, (coarse_px, coarse_px), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(coarse, (0, 0), sigma_px * coarse_px / side, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(soft, (side, side), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def ribbon(line: Points, half_widths: NDArray[np.float64] | float) -> Points:
    """Outline of a band along a line (K, 2) with the given half widths, all cm."""
    along = np.gradient(line, axis=0)
    across = np.column_stack([-along[:, 1], along[:, 0]]) / np.maximum(np.linalg.norm(along, axis=1), 1e-9)[:, None]
    offset = across * np.broadcast_to(half_widths, len(line))[:, None]
    return np.concatenate([line + offset, (line - offset)[::-1]])


def ellipse(centre: tuple[float, float], radii: tuple[float, float], turn_deg: float = 0.0) -> Points:
    """Outline of an ellipse, cm."""
    angle, turn = np.linspace(0, 2 * np.pi, 48, endpoint=False), np.deg2rad(turn_deg)
    x, y = radii[0] * np.cos(angle), radii[1] * np.sin(angle)
    return np.column_stack(
        [centre[0] + x * np.cos(turn) - y * np.sin(turn), centre[1] + x * np.sin(turn) + y * np.cos(turn)]
    )


def curve(knots: Sequence[tuple[float, float]], count: int = 40) -> Points:
    """Smooth line through knots (Catmull-Rom), (count, 2) cm."""
    given = np.array(knots, dtype=np.float64)
    padded = np.concatenate([2 * given[:1] - given[1:2], given, 2 * given[-1:] - given[-2:-1]])
    at = np.linspace(0, len(given) - 1 - 1e-9, count)
    index, t = at.astype(int), (at % 1)[:, None]
    before, start, end, after = (padded[index + step] for step in range(4))
    return start + 0.5 * t * (
        end - before + t * (2 * before - 5 * start + 4 * end - after + t * (3 * (start - end) + after - before))
    )


def chord(squared_radius: Map) -> Map:
    """Relative length of rays through a ball or tube at a squared relative radius: 1 on the axis, 0 outside."""
    return np.sqrt(np.clip(1 - squared_radius, 0, None))


def mirrored(points: Points, side: int) -> Points:
    """Points given for the patient's left (``side`` 1), or their mirror image (-1)."""
    return points * np.array([side, 1.0])
