"""What is on the film besides the patient: side markers, lines, tubes and leads, and the collimator's edge."""

import cv2
import numpy as np

from cxrbench.data.phantom.build import Build, Pose
from cxrbench.data.phantom.canvas import Canvas, Sheet
from cxrbench.data.phantom.cavity import wall
from cxrbench.data.phantom.shapes import Map, Points, curve, ellipse, ribbon

METAL, PLASTIC = 1.6, 0.22
"""Optical depth of a wire or clip, and of a tube's radio-opaque stripe."""
LETTER_DEPTH, LETTER_SIZE = 3.0, 1.5 / 1024


def device_depth(canvas: Canvas, build: Build, pose: Pose, rng: np.random.Generator) -> Map:
    """Optical depth of devices: seldom any on PA films, often on AP films from the ward."""
    shapes: list[tuple[Points, float]] = []
    if rng.random() < (0.55 if pose.is_ap else 0.05):
        shapes += _leads(build, rng)
    if rng.random() < (0.35 if pose.is_ap else 0.06):
        shapes += _central_line(build, rng)
    if pose.is_ap and rng.random() < 0.3:
        shapes += _airway_tube(build)
    return canvas.paint(shapes, METAL)


def marker_depth(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> Map:
    """Optical depth of the lead letters beside the patient's left shoulder, and of "PORTABLE" on some AP films."""
    sheet = np.zeros((canvas.side_px, canvas.side_px), np.uint8)
    height = rng.uniform(0.06, 0.14)
    _write(sheet, "L", (rng.uniform(0.86, 0.93), height), LETTER_SIZE)
    if pose.is_ap and rng.random() < 0.4:
        word = "PORTABLE" if rng.random() < 0.5 else "AP"
        _write(sheet, word, (rng.uniform(0.04, 0.1), height), 0.55 * LETTER_SIZE)
    return np.asarray(sheet, np.float32) * (LETTER_DEPTH / 255)


def draw_shutter(canvas: Canvas, rng: np.random.Generator) -> Map:
    """Brightness left by the electronic shutter: 1, and 0 in the black border that some films have."""
    side = canvas.side_px
    margins = np.where(rng.random(4) < 0.35, rng.uniform(0.005, 0.05, 4), -0.05).tolist()  # left, top, right, bottom
    lean = float(np.tan(np.deg2rad(rng.normal(0, 0.6))))
    across = (np.arange(side, dtype=np.float32) + 0.5) / side
    x, y = across[None, :] + lean * across[:, None], across[:, None] - lean * across[None, :]
    edge = np.minimum(np.minimum(x - margins[0], y - margins[1]), np.minimum(1 - margins[2] - x, 1 - margins[3] - y))
    open_share: Map = np.clip(edge / 0.004, 0, 1)
    return open_share


def _write(sheet: Sheet, text: str, at: tuple[float, float], size: float) -> None:
    """Letters of a relative size, their lower left corner at a share of the sheet."""
    side, scale = len(sheet), size * len(sheet)
    origin = (round(at[0] * side), round(at[1] * side))
    cv2.putText(sheet, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, (255,), max(1, round(3 * scale)), cv2.LINE_AA)


def _leads(build: Build, rng: np.random.Generator) -> list[tuple[Points, float]]:
    """Electrodes on the chest and their wires, which leave the film."""
    shapes: list[tuple[Points, float]] = []
    half = float(wall(np.array([10.0], np.float32), build)[0])
    for side, height in ((-1, 2.5), (1, 2.5), (1, 19.0)):
        spot = (side * rng.uniform(0.7, 1.0) * half, height + rng.normal(0, 1.5))
        way = [
            (spot[0] + rng.normal(0, 2), spot[1] + 6),
            (spot[0] * 0.6 + rng.normal(0, 4), 24),
            (rng.normal(12, 6), 38),
        ]
        shapes += [
            (ribbon(curve([spot, *way], 60), 0.045), 0.5),
            (ellipse(spot, (0.55, 0.55)), 0.3),
            (ellipse(spot, (0.28, 0.28)), METAL),
        ]
    return shapes


def _central_line(build: Build, rng: np.random.Generator) -> list[tuple[Points, float]]:
    """A catheter from the right neck or below a clavicle to the cava."""
    start = [(-4.0, -7.0), (-3.4, -1.0)] if rng.random() < 0.5 else [(-12.0, 1.5), (-6.5, 3.0)]
    tip = (-2.0 + rng.normal(0, 0.2), rng.uniform(0.36, 0.52) * build.lung_height)
    return [(ribbon(curve([*start, (-2.4, 4.5), tip], 50), 0.1), PLASTIC)]


def _airway_tube(build: Build) -> list[tuple[Points, float]]:
    """A tube in the windpipe, its tip above the fork."""
    line = curve([(0.3, -8.0), (0.0, -2.0), (-0.2, 0.26 * build.lung_height)], 30)
    walls = [line + np.array([side * 0.42, 0]) for side in (-1, 1)]
    return [(ribbon(at, 0.06), PLASTIC) for at in walls]
