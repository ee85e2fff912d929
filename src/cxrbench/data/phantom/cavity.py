"""The chest cavity: its wall, the heart and great vessels between the lungs, the diaphragm below."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from cxrbench.data.phantom.build import Build
from cxrbench.data.phantom.shapes import Map, chord

Knots = tuple[tuple[float, float], ...]

# By share of the lungs' height: half width of the cavity as a share of the largest ...
WALL: Knots = (
    (-0.3, 0.2), (0, 0.44), (0.04, 0.55), (0.1, 0.65), (0.2, 0.77), (0.35, 0.88), (0.55, 0.95), (0.8, 0.99), (1.2, 1),
)  # fmt: skip
# ... borders of heart and great vessels, cm: on the right the neck's, cava and ascending aorta, then the atrium ...
RIGHT_UPPER: Knots = ((-0.1, 4.4), (0, 3.9), (0.08, 2.8), (0.2, 2.5), (0.38, 2.7), (0.5, 2.9), (0.6, 2.5), (1.3, 2))
RIGHT_HEART: Knots = ((0.45, 0), (0.55, 2.6), (0.68, 4.1), (0.8, 4.6), (0.92, 4.4), (1.02, 3.6), (1.15, 2.6), (1.3, 2))
# ... on the left (the aortic knob apart) the pulmonary trunk, then auricle and ventricle down to the apex ...
LEFT_UPPER: Knots = (
    (-0.1, 4.4), (0, 3.9), (0.08, 2.7), (0.16, 2.2), (0.33, 2.4), (0.4, 3), (0.46, 3.2), (0.6, 2.6), (1.3, 2.2),
)  # fmt: skip
LEFT_HEART: Knots = (
    (0.38, 0), (0.46, 3), (0.55, 4.3), (0.66, 5.9), (0.78, 7.4), (0.9, 8.3), (0.98, 8.2), (1.06, 7), (1.15, 4.5),
    (1.3, 2),
)  # fmt: skip
# ... and their depth along the beam, cm.
DEPTH: Knots = ((-0.1, 5), (0.1, 5), (0.3, 6), (0.5, 8), (0.85, 10), (1.3, 10))

ARCH = 0.25
"""Height of the aortic arch, as a share of the lungs'."""
APEX_DEPTH_CM, DOME_AXIS_CM, RECESS_CM = 9.0, 6.8, 4.5
ROUNDING_CM = 0.9
"""Over which two borders flow into one another."""


def wall(y: Map, build: Build) -> Map:
    """Half width of the cavity at height ``y``, cm."""
    return build.chest_half_width * _between(y / build.lung_height, WALL)


def right_border(y: Map, build: Build) -> Map:
    """Distance of the mediastinum's right border from the midline, cm."""
    share = y / build.lung_height
    return _joined(_between(share, RIGHT_UPPER), build.heart_size * _between(share, RIGHT_HEART))


def left_border(y: Map, build: Build) -> Map:
    """Distance of the mediastinum's left border from the midline, cm."""
    share = y / build.lung_height
    knob = build.knob_radius * chord(((y - ARCH * build.lung_height) / (1.15 * build.knob_radius)) ** 2)
    upper = np.maximum(_between(share, LEFT_UPPER), np.where(knob > 0, 1.7 + knob, 0))
    return _joined(upper, build.heart_size * _between(share, LEFT_HEART))


def border(y: Map, build: Build, side: int) -> Map:
    """Distance of the mediastinum's border from the midline, cm; ``side`` 1 is the patient's left."""
    return left_border(y, build) if side > 0 else right_border(y, build)


def mediastinum_depth(x: Map, y: Map, build: Build) -> Map:
    """Depth of heart and great vessels along the beam, cm: elliptic in every horizontal section."""
    right, left = right_border(y, build), left_border(y, build)
    from_middle = (x - (left - right) / 2) / ((left + right) / 2)
    return _between(y / build.lung_height, DEPTH) * chord(from_middle**2)


def aorta_depth(x: Map, y: Map, build: Build) -> Map:
    """Depth of the descending aorta along the beam, cm; its left edge is seen through the heart."""
    below_arch = y - ARCH * build.lung_height
    depth: Map = 2.4 * chord(((x - 1.7 + 0.05 * below_arch) / 1.2) ** 2) * (below_arch > 0)
    return depth


def dome(x: Map, y: Map, build: Build) -> Map:
    """Height (y) of the diaphragm above a point; each side has its own dome, lowest at the chest wall."""
    reach = np.abs(x)
    left, right = build.left_dome_drop - build.left_rise, -build.right_rise
    top = build.lung_height + np.where(x > 0, np.float32(left), np.float32(right))
    outer = np.clip((reach - DOME_AXIS_CM) / np.maximum(wall(y, build) - DOME_AXIS_CM, 1), 0, 1.1)
    inner = np.clip((DOME_AXIS_CM - reach) / DOME_AXIS_CM, 0, 1)
    height: Map = top + build.dome_height * outer**2.2 + 1.3 * inner**2
    return height


def cavity_depth(x: Map, y: Map, build: Build) -> Map:
    """Depth of the cavity along the beam, cm; 0 outside."""
    apex = chord(np.clip(1 - y / APEX_DEPTH_CM, 0, None) ** 2)
    return 2 * build.chest_half_depth * apex * chord((x / wall(y, build)) ** 2)


def lung_depth(x: Map, y: Map, build: Build) -> Map:
    """Depth of aerated lung along the beam, cm."""
    solid = mediastinum_depth(x, y, build) + 0.5 * aorta_depth(x, y, build)
    fold = 1 - 0.5 * np.exp(-((x / 2.2) ** 2))  # little lung reaches the midline
    depth: Map = np.clip(cavity_depth(x, y, build) * fold - solid, 0, None) * _above_diaphragm(x, y, build)
    return depth


def _above_diaphragm(x: Map, y: Map, build: Build) -> Map:
    """Share of the cavity's depth above the diaphragm: 1, and little in the recess behind the dome."""
    below = (y - dome(x, y, build)) / RECESS_CM
    return np.where(below < 0, np.float32(1), 0.3 * np.clip(1 - below, 0, 1) ** 2)


def _joined(one: Map, other: Map) -> Map:
    """The farther of two borders, rounded where they meet."""
    gap = np.clip(ROUNDING_CM - np.abs(one - other), 0, None)
    farther: Map = np.maximum(one, other) + gap**2 / (4 * ROUNDING_CM)
    return farther


def _between(share: Map, knots: Knots) -> Map:
    """Smooth values between knots."""
    return np.interp(share, *_dense(knots)).astype(np.float32)


@cache
def _dense(knots: Knots) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A monotone cubic through knots, at points so dense that straight lines between them do not show."""
    xs, ys = np.array(knots).T
    fine = np.linspace(xs[0], xs[-1], 200)
    return fine, np.asarray(PchipInterpolator(xs, ys)(fine))  # type: ignore[no-untyped-call]
