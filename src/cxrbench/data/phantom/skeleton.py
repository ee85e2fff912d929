"""Bones: spine, ribs, clavicles, shoulder blades and arms, as depth of bone along the beam."""

import numpy as np

from cxrbench.data.phantom.build import Build, Pose
from cxrbench.data.phantom.canvas import Canvas, Map, Points, curve, ellipse, mirrored, ribbon
from cxrbench.data.phantom.cavity import wall

RIBS = 10
FIRST_RIB_CM = -1.4
SIDES = (-1, 1)
Shapes = list[tuple[Points, float]]

RIB_CM, SPINE_CM, GIRDLE_CM = 0.5, 2.4, 1.3


def bone_depth(canvas: Canvas, build: Build, pose: Pose) -> Map:
    """Depth of bone along the beam, cm; what lies one behind the other adds up."""
    back = canvas.paint([shape for side in SIDES for at in range(RIBS) for shape in _rib(build, at, side, is_front=False)], RIB_CM)
    front = canvas.paint([shape for side in SIDES for at in range(7) for shape in _rib(build, at, side, is_front=True)], RIB_CM)
    girdle = canvas.paint([shape for side in SIDES for shape in _girdle(build, pose, side)], GIRDLE_CM)
    return build.bone * (back + front + girdle + canvas.paint(_spine(build, pose), SPINE_CM))


def rib_line(build: Build, number: int, side: int, *, is_front: bool) -> Points:
    """Centre of a rib's back or front part: an arc round the chest that falls from the spine to the breastbone."""
    start_y = FIRST_RIB_CM + 2.35 * build.rib_gap * number * build.lung_height / 21.5
    fall = 3.4 + 0.62 * number
    last = 0.86 if number < 6 else 0.78
    angle = np.pi * (np.linspace(0.47, last, 30) if is_front else np.linspace(0.06, 0.53, 30))
    y = start_y + fall * (1 - np.cos(angle)) / 2 - 0.75 * np.sin(angle) ** 2 * (1 - angle / np.pi)
    reach = wall(y.astype(np.float32), build) + 0.25
    return mirrored(np.column_stack([reach * np.sin(angle), y]), side)


def _rib(build: Build, number: int, side: int, *, is_front: bool) -> Shapes:
    """A rib: a tube whose edges, seen along the shell, are denser than its middle."""
    line = rib_line(build, number, side, is_front=is_front)
    half = np.linspace(0.6, 0.75, len(line)) if is_front else np.linspace(0.48, 0.62, len(line))
    dense = 0.7 if is_front else 1.0
    return [(ribbon(line, half), RIB_CM * dense), (ribbon(line, 0.68 * half), RIB_CM * 0.62 * dense)]


def _spine(build: Build, pose: Pose) -> Shapes:
    """Vertebrae: bodies with denser end plates, pedicles, and spinous processes."""
    shapes: Shapes = []
    y, height, half = -9.0, 1.35, 1.15
    while y < 36:
        shapes += _vertebra(y, height, half, pose.turn_cm)
        y += height + 0.38
        height, half = min(height + 0.055, 2.9), min(half + 0.035, 1.9)
    return shapes


def _vertebra(y: float, height: float, half: float, turn_cm: float) -> Shapes:
    """One vertebra from its upper end plate down."""
    body = curve([(-half, y), (-0.9 * half, y + height / 2), (-half, y + height)], 8)
    block = np.concatenate([body, (body * [-1, 1])[::-1]])
    inside = (block - [0, y + height / 2]) * [0.88, 0.76] + [0, y + height / 2]
    process = ellipse((-0.35 * turn_cm, y + 1.15 * height), (0.26, 0.6))
    pedicles = [(ellipse((side * 0.6 * half, y + 0.4 * height), (0.26, 0.36)), 1.6) for side in SIDES]
    return [(block, 1.2), (inside, 0.95), *pedicles, (process, 1.7)]


def _girdle(build: Build, pose: Pose, side: int) -> Shapes:
    """Shoulder blade, arm and clavicle of one side."""
    return [*_blade(build, pose, side), *_arm(pose, side), *_clavicle(pose, side)]


def _blade(build: Build, pose: Pose, side: int) -> Shapes:
    """A thin plate with thick borders; lateral of the lung when the shoulders are rolled forward."""
    inwards = pose.shoulders_cm
    at = float(wall(np.array([9.0], np.float32), build)[0])
    corners = [(15.6 - 0.5 * inwards, 2.4), (at + 0.6 - inwards, 1.0), (at + 0.4 - inwards, 5.5), (at + 2.2 - inwards, 12.2)]
    lateral = curve([corners[3], (at + 3.0 - inwards, 8.0), (15.2 - 0.5 * inwards, 3.6)], 20)
    medial = curve([corners[1], corners[2], corners[3]], 20)
    spine = curve([corners[2], (14.0 - 0.7 * inwards, 2.6), (17.3 - 0.4 * inwards, 0.6)], 20)
    plate = np.concatenate([medial, lateral, [corners[0]]])
    return [
        (mirrored(plate, side), 0.22),
        (mirrored(ribbon(medial, 0.1), side), 0.5),
        (mirrored(ribbon(lateral, 0.3), side), 0.65),
        (mirrored(ribbon(spine, np.linspace(0.15, 0.6, 20)), side), 0.6),
    ]


def _arm(pose: Pose, side: int) -> Shapes:
    """Head and shaft of the humerus."""
    spread = 0.6 if pose.is_ap else 2.0
    shaft = curve([(17.2, 3.8), (18.2 + spread, 9.5), (18.6 + 2 * spread, 22), (18.6 + 3 * spread, 40)], 20)
    return [
        (mirrored(ribbon(shaft, 1.0), side), 1.1),
        (mirrored(ribbon(shaft, 0.55), side), 0.6),
        (mirrored(ellipse((17.0, 3.0), (2.2, 2.4)), side), 1.0),
        (mirrored(ellipse((17.0, 3.0), (1.95, 2.15)), side), 0.8),
    ]


def _clavicle(pose: Pose, side: int) -> Shapes:
    """An S-shaped tube from the breastbone to the shoulder."""
    rise, shift = pose.clavicle_rise_cm, pose.turn_cm
    line = curve([(1.7 + side * shift, 4.6), (4.5, 4.2 - 0.5 * rise), (9.0, 2.2 - rise), (13.0, 0.7 - rise), (17.0, 0.9 - rise)], 40)
    half = np.interp(np.arange(40), [0, 5, 20, 39], [0.85, 0.6, 0.5, 0.7])
    return [(mirrored(ribbon(line, half), side), 0.95), (mirrored(ribbon(line, 0.6 * half), side), 0.65)]
