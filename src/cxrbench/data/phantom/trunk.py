"""Neck, shoulders, arms, breasts and belly: the soft tissue around the cavity."""

import cv2
import numpy as np

from cxrbench.data.phantom.build import Build, Pose
from cxrbench.data.phantom.canvas import Canvas, Map, Points, chord, curve, mirrored

ARM_ROUNDING_CM, TRUNK_ROUNDING_CM = 4.5, 3.0
ARM_DEPTH_CM = 9.5
ARMPIT_CM = 9.0
COARSE_PX = 256


def body_depth(canvas: Canvas, build: Build, pose: Pose) -> Map:
    """Depth of the body along the beam, cm; 0 beside it."""
    x, y = canvas.grid
    half_width = build.chest_half_width + build.wall
    half_depth = build.chest_half_depth + 0.9 * build.wall
    # An elliptic cylinder, a little wider at the belly, that thins out towards the neck.
    waist = half_width * (1 + 0.004 * np.clip(y - 10, 0, None))
    upwards = np.clip((y + 8) / 16, 0.35, 1)
    trunk = 2 * half_depth * upwards * chord((x / waist) ** 2)
    distance = _distance_to_skin(canvas, build, pose)
    below_armpits = np.clip((y - ARMPIT_CM) / 4 + 0.5, 0, 1)
    edge = below_armpits + (1 - below_armpits) * _rounded(distance, TRUNK_ROUNDING_CM)
    arms = ARM_DEPTH_CM * _rounded(distance, ARM_ROUNDING_CM)
    return np.maximum(trunk * edge, arms).astype(np.float32)


def breasts(canvas: Canvas, build: Build) -> Map:
    """Depth added by the breasts, cm: crisp below, fading upwards."""
    if build.breast_depth == 0:
        return np.zeros((canvas.side_px,) * 2, np.float32)
    x, y = canvas.grid
    size = 5.0 + 0.35 * build.breast_depth
    centre_y = 0.62 * build.lung_height + 0.55 * build.breast_depth
    outwards, down = (np.abs(x) - 7.8) / (1.15 * size), (y - centre_y) / size
    crisp = np.clip(0.5 + 0.5 * down + 0.3 * outwards, 0, 1)  # 1 at the lower outer fold
    return (1.2 * build.breast_depth * chord(outwards**2 + down**2) ** (2.4 - 1.6 * crisp)).astype(np.float32)


def outline(build: Build, pose: Pose, side: int) -> Points:
    """Outline of one half of neck, shoulder and arm; ``side`` 1 is the patient's left."""
    armpit = build.chest_half_width + build.wall
    spread = 1.0 if pose.is_ap else 3.0  # the arms hang in bed and are held away standing
    outer = curve(
        [(5.6, -12), (5.8, -5.0), (7.2, -2.6), (12.5, -1.0), (17.2, 0.2), (20.0, 3.0), (20.8 + spread, 9), (21 + 2 * spread, 22), (21 + 3 * spread, 40)]
    )
    inner = curve([(17.6 + 3 * spread, 40), (16.8 + 2 * spread, 22), (armpit + 0.6 + spread, 13), (armpit + 0.3, 9.5), (armpit + 0.1, 13), (1.04 * armpit, 22), (1.1 * armpit, 40)])
    middle = np.array([[0.0, 40.0], [0.0, -12.0]])
    return mirrored(np.concatenate([outer, inner, middle]), side)


def _distance_to_skin(canvas: Canvas, build: Build, pose: Pose) -> Map:
    """Distance (cm) of every pixel within neck, shoulders and arms from their outline; 0 outside."""
    coarse = Canvas(COARSE_PX, canvas.tilt_deg, canvas.zoom, canvas.shift_cm)
    filled = coarse.paint([(outline(build, pose, side), 1.0) for side in (-1, 1)], top=1.0)
    # Without a frame of body above, the upper edge of the film would look like skin.
    inside = cv2.copyMakeBorder((filled > 0.5).astype(np.uint8), 40, 0, 40, 40, cv2.BORDER_REPLICATE)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 5)[40:, 40:-40] * (coarse.pixel_cm / canvas.zoom)
    return np.asarray(cv2.resize(distance, (canvas.side_px,) * 2, interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _rounded(distance: Map, radius_cm: float) -> Map:
    """0 at the skin, 1 from ``radius_cm`` inwards, like the section of a tube."""
    return np.sqrt(np.clip(1 - (1 - np.minimum(distance / radius_cm, 1)) ** 2, 0, None))
