"""The soft tissue around the cavity: trunk, neck, shoulders, arms and breasts."""

import cv2
import numpy as np

from cxrbench.data.phantom.build import Build, Pose
from cxrbench.data.phantom.canvas import Canvas
from cxrbench.data.phantom.shapes import Map, Points, chord, curve, mirrored

COARSE_PX = 256
"""Skin is far from everything sharp, so its distance is found on a coarse grid."""
MARGIN_PX = 40
ARM_ROUNDING_CM, TRUNK_ROUNDING_CM = 4.5, 3.0
ARM_DEPTH_CM = 9.5
ARMPIT_CM = 9.0


def body_depth(canvas: Canvas, build: Build, pose: Pose) -> Map:
    """Depth of the body along the beam, cm; 0 beside it."""
    distance = _distance_to_skin(canvas, build, pose)
    y = canvas.grid[1]
    below_armpits = np.clip((y - ARMPIT_CM) / 4 + 0.5, 0, 1)  # there the trunk's own section ends at the skin
    edge = below_armpits + (1 - below_armpits) * _rounded(distance, TRUNK_ROUNDING_CM)
    arms = ARM_DEPTH_CM * _rounded(distance, ARM_ROUNDING_CM)
    depth: Map = np.maximum(_trunk_depth(canvas, build) * edge, arms) + _breast_depth(canvas, build)
    return depth


def _trunk_depth(canvas: Canvas, build: Build) -> Map:
    """An elliptic cylinder, a little wider at the belly, that thins out towards the neck."""
    x, y = canvas.grid
    waist = (build.chest_half_width + build.wall) * (1 + 0.004 * np.clip(y - 10, 0, None))
    upwards = np.clip((y + 8) / 16, 0.35, 1)
    depth: Map = 2 * (build.chest_half_depth + 0.9 * build.wall) * upwards * chord((x / waist) ** 2)
    return depth


def _breast_depth(canvas: Canvas, build: Build) -> Map:
    """Depth added by the breasts, cm: they hang, so they end crisply below and fade upwards."""
    if build.breast_depth == 0:
        return np.zeros((canvas.side_px, canvas.side_px), np.float32)
    x, y = canvas.grid
    size = 5 + 0.35 * build.breast_depth
    outwards = (np.abs(x) - 7.8) / (1.15 * size)
    down = (y - 0.62 * build.lung_height - 0.55 * build.breast_depth) / size
    fullness = np.clip(0.45 + 0.55 * down + 0.25 * outwards, 0, 1) ** 1.3
    depth: Map = 1.5 * build.breast_depth * fullness * chord(outwards**2 + down**2)
    return depth


def _distance_to_skin(canvas: Canvas, build: Build, pose: Pose) -> Map:
    """Distance (cm) of every pixel within the body from its outline; 0 outside."""
    coarse = Canvas(COARSE_PX, canvas.tilt_deg, canvas.zoom, canvas.shift_cm)
    covered = coarse.paint([(_outline(build, pose, side), 1.0) for side in (-1, 1)], top=1.0) > 0.5
    # The body goes on beyond the film; without a margin the edge of the film would look like skin.
    inside = np.pad(covered.astype(np.uint8), ((MARGIN_PX, 0), (MARGIN_PX, MARGIN_PX)), mode="edge")
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 5)[MARGIN_PX:, MARGIN_PX:-MARGIN_PX]
    smooth = cv2.GaussianBlur(distance * (coarse.pixel_cm / canvas.zoom), (0, 0), 1.5)
    return np.asarray(cv2.resize(smooth, (canvas.side_px, canvas.side_px), interpolation=cv2.INTER_LINEAR))


def _outline(build: Build, pose: Pose, side: int) -> Points:
    """Outline of one half of neck, shoulder, arm and trunk; ``side`` 1 is the patient's left."""
    half = build.chest_half_width + build.wall
    away = 1.0 if pose.is_ap else 3.0  # the arms lie beside the trunk in bed, and are held away from it standing
    shoulder = [(5.6, -12), (5.8, -5), (7.2, -2.6), (12.5, -1), (17.2, 0.2), (20, 3)]
    outer_arm = [(20.8 + away, 9), (21 + 2 * away, 22), (21 + 3 * away, 40)]
    inner_arm = [(17.6 + 3 * away, 40), (16.8 + 2 * away, 22), (half + 0.6 + away, 13), (half + 0.3, 9.5)]
    flank = [(half + 0.1, 13), (1.04 * half, 22), (1.1 * half, 40)]
    middle = np.array([[0.0, 40.0], [0.0, -12.0]])
    return mirrored(np.concatenate([curve([*shoulder, *outer_arm]), curve([*inner_arm, *flank]), middle]), side)


def _rounded(distance: Map, radius_cm: float) -> Map:
    """0 at the skin, 1 from ``radius_cm`` inwards, like the section of a tube."""
    return chord((1 - np.minimum(distance / radius_cm, 1)) ** 2)
