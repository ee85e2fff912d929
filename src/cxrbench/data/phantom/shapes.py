"""Outlines and maps: the geometry that the phantom is made of. Lengths in cm, body frame."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.floating]  # (H, W), a quantity over the film; float32 throughout, for speed
Points = NDArray[np.float64]  # (K, 2) x and y


def curve(knots: Sequence[tuple[float, float]], count: int = 40) -> Points:
    """Smooth line of ``count`` points through knots (Catmull-Rom)."""
    given = np.array(knots, dtype=np.float64)
    padded = np.concatenate([2 * given[:1] - given[1:2], given, 2 * given[-1:] - given[-2:-1]])
    at = np.linspace(0, len(given) - 1 - 1e-9, count)
    index, t = at.astype(int), (at % 1)[:, None]
    before, start, end, after = (padded[index + step] for step in range(4))
    bend = 2 * before - 5 * start + 4 * end - after + t * (3 * (start - end) + after - before)
    return np.asarray(start + 0.5 * t * (end - before + t * bend))


def ribbon(line: Points, half_widths: NDArray[np.float64] | float) -> Points:
    """Outline of a band along a line."""
    along = np.gradient(line, axis=0)
    across = np.column_stack([-along[:, 1], along[:, 0]]) / np.maximum(np.linalg.norm(along, axis=1), 1e-9)[:, None]
    offset = across * np.broadcast_to(half_widths, len(line))[:, None]
    return np.concatenate([line + offset, (line - offset)[::-1]])


def ellipse(centre: tuple[float, float], radii: tuple[float, float]) -> Points:
    """Outline of an upright ellipse."""
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    return np.column_stack([centre[0] + radii[0] * np.cos(angle), centre[1] + radii[1] * np.sin(angle)])


def mirrored(points: Points, side: int) -> Points:
    """Points given for the patient's left (``side`` 1), or their mirror image (-1)."""
    return np.asarray(points * np.array([side, 1.0]))


def chord(squared_radius: Map) -> Map:
    """Relative length of rays through a ball or tube at a squared relative radius: 1 on the axis, 0 outside."""
    length: Map = np.sqrt(np.clip(1 - squared_radius, 0, None))
    return length


def step(distance: Map, softness: float) -> Map:
    """1 well above 0, 0 well below, over ``softness``."""
    rise: Map = 1 / (1 + np.exp(np.clip(distance * (-1 / softness), -30, 30)))
    return rise


def bell(relative: Map, power: int = 2) -> Map:
    """1 at 0, falling past 1; the higher the (even) power, the more like a box."""
    squared = relative * relative
    height: Map = np.exp(-squared if power == 2 else -(squared ** (power // 2)))
    return height


def blur(values: Map, sigma_px: float) -> Map:
    """Gaussian blur; a wide one on a coarser grid, where the difference cannot be seen."""
    side = len(values)
    coarse_px = max(8, side // max(1, int(sigma_px // 4)))
    if coarse_px >= side:
        return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma_px, borderType=cv2.BORDER_REPLICATE))
    coarse = cv2.resize(values, (coarse_px, coarse_px), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(coarse, (0, 0), sigma_px * coarse_px / side, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(soft, (side, side), interpolation=cv2.INTER_LINEAR))
