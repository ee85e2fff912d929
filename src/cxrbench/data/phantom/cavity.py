"""The chest cavity: its wall, the heart and great vessels between the lungs, the diaphragm below."""

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from cxrbench.data.phantom.build import Build
from cxrbench.data.phantom.canvas import Map, chord

Knots = tuple[tuple[float, float], ...]

# By share of the lungs' height: half width of the cavity as a share of the largest ...
WALL: Knots = ((-0.3, 0.2), (0, 0.44), (0.04, 0.55), (0.1, 0.65), (0.2, 0.77), (0.35, 0.88), (0.55, 0.95), (0.8, 0.99), (1.2, 1))
# ... borders of heart and great vessels, cm: the neck's, then on the right cava, ascending aorta and atrium ...
RIGHT_UPPER: Knots = ((-0.1, 4.4), (0, 3.9), (0.08, 2.8), (0.2, 2.5), (0.38, 2.7), (0.5, 2.9), (0.6, 2.5), (1.3, 2.0))
RIGHT_HEART: Knots = ((0.45, 0.0), (0.55, 2.6), (0.68, 4.1), (0.8, 4.6), (0.92, 4.4), (1.02, 3.6), (1.15, 2.6), (1.3, 2))
# ... on the left aortic arch (its knob is added), pulmonary trunk, auricle and ventricle down to the apex ...
LEFT_UPPER: Knots = ((-0.1, 4.4), (0, 3.9), (0.08, 2.7), (0.16, 2.2), (0.33, 2.4), (0.4, 3.0), (0.46, 3.2), (0.6, 2.6), (1.3, 2.2))
LEFT_HEART: Knots = ((0.38, 0.0), (0.46, 3.0), (0.55, 4.3), (0.66, 5.9), (0.78, 7.4), (0.9, 8.3), (0.98, 8.2), (1.06, 7), (1.15, 4.5), (1.3, 2))
# ... and their depth along the beam, cm.
DEPTH: Knots = ((-0.1, 7), (0.1, 7), (0.4, 7.5), (0.6, 9.5), (0.85, 11), (1.3, 11))

APEX_DEPTH_CM = 9.0
DOME_AXIS_CM = 6.8
RECESS_CM = 4.5
SOFTNESS_CM = 0.9
"""Over which two borders flow into one another."""


def wall(y: Map, build: Build) -> Map:
    """Half width of the cavity at height ``y``, cm."""
    return np.float32(build.chest_half_width) * _at(y / build.lung_height, WALL)


def right_border(y: Map, build: Build) -> Map:
    """Distance of the mediastinum's right border from the midline, cm."""
    share = y / build.lung_height
    return _joined(_at(share, RIGHT_UPPER), np.float32(build.heart_size) * _at(share, RIGHT_HEART))


def left_border(y: Map, build: Build) -> Map:
    """Distance of the mediastinum's left border from the midline, cm."""
    share = y / build.lung_height
    knob = 1.7 + build.knob_radius * chord(((y - 0.25 * build.lung_height) / (1.15 * build.knob_radius)) ** 2)
    upper = np.maximum(_at(share, LEFT_UPPER), np.where(knob > 1.7, knob, 0))
    return _joined(upper.astype(np.float32), np.float32(build.heart_size) * _at(share, LEFT_HEART))


def heart_box(build: Build) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the heart, cm."""
    rows = np.linspace(0.5, 1.04, 30, dtype=np.float32) * np.float32(build.lung_height)
    return -float(right_border(rows, build).max()), float(rows[0]), float(left_border(rows, build).max()), float(rows[-1])


def mediastinum_depth(x: Map, y: Map, build: Build) -> Map:
    """Depth of heart and great vessels along the beam, cm: elliptic in every horizontal section."""
    right, left = right_border(y, build), left_border(y, build)
    from_middle = (x - (left - right) / 2) / ((left + right) / 2)
    return _at(y / build.lung_height, DEPTH) * chord(from_middle**2)


def aorta_depth(x: Map, y: Map, build: Build) -> Map:
    """Depth of the descending aorta along the beam, cm; its left edge is seen through the heart."""
    arch = 0.25 * build.lung_height
    middle = 1.7 - 0.05 * (y - arch)
    return 2.4 * chord(((x - middle) / 1.2) ** 2) * (y > arch)


def dome(x: Map, y: Map, build: Build) -> Map:
    """Height (y) of the diaphragm above a point; each side has its own dome, deepest at the chest wall."""
    reach = np.abs(x)
    left, right = build.left_dome_drop - build.left_rise, -build.right_rise
    top = build.lung_height + np.where(x > 0, left, right).astype(np.float32)
    outer = np.clip((reach - DOME_AXIS_CM) / np.maximum(wall(y, build) - DOME_AXIS_CM, 1), 0, 1.1)
    inner = np.clip((DOME_AXIS_CM - reach) / DOME_AXIS_CM, 0, 1)
    return (top + build.dome_height * outer**2.2 + 1.3 * inner**2).astype(np.float32)


def cavity_depth(x: Map, y: Map, build: Build) -> Map:
    """Depth of the cavity along the beam, cm; 0 outside."""
    apex = chord(np.clip(1 - y / APEX_DEPTH_CM, 0, None) ** 2)
    return (2 * build.chest_half_depth * apex * chord((x / wall(y, build)) ** 2)).astype(np.float32)


def above_diaphragm(x: Map, y: Map, build: Build) -> Map:
    """Share of the cavity's depth that is above the diaphragm: 1, and little in the recess behind the dome."""
    below = (y - dome(x, y, build)) / RECESS_CM
    return np.where(below < 0, 1, 0.3 * np.clip(1 - below, 0, 1) ** 2).astype(np.float32)


def lung_depth(x: Map, y: Map, build: Build) -> Map:
    """Depth of aerated lung along the beam, cm."""
    solid = mediastinum_depth(x, y, build) + 0.5 * aorta_depth(x, y, build)
    # The pleura's fold: lung never quite reaches the midline, in front of the spine less than beside the heart.
    fold = 1 - 0.75 * np.exp(-((x / 1.9) ** 2))
    return np.clip(cavity_depth(x, y, build) * fold - solid, 0, None) * above_diaphragm(x, y, build)


def _joined(one: Map, other: Map) -> Map:
    """The farther of two borders, rounded where they meet."""
    gap = np.clip(SOFTNESS_CM - np.abs(one - other), 0, None)
    return np.maximum(one, other) + gap**2 / (4 * SOFTNESS_CM)


def _at(share: Map, knots: Knots) -> Map:
    """Smooth values between knots."""
    fine, values = _fine(knots)
    return np.interp(share, fine, values).astype(np.float32)


def _fine(knots: Knots) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A monotone cubic through knots, at points so dense that straight lines between them do not show."""
    xs, ys = np.array(knots).T
    fine = np.linspace(xs[0], xs[-1], 200)
    return fine, np.asarray(PchipInterpolator(xs, ys)(fine))
