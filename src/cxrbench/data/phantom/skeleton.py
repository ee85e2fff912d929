"""Bones: spine, ribs, clavicles, shoulder blades and arms, as depth of bone along the beam."""

import numpy as np

from cxrbench.data.phantom.build import Build, Pose
from cxrbench.data.phantom.canvas import Canvas
from cxrbench.data.phantom.cavity import wall
from cxrbench.data.phantom.shapes import Map, Points, curve, ellipse, mirrored, ribbon

Shapes = list[tuple[Points, float]]  # outlines, and the depth of bone within them, cm

SIDES = (-1, 1)
RIBS, FRONT_RIBS, VERTEBRAE = 10, 7, 22
FIRST_RIB_CM, RIB_GAP = -1.4, 0.11
"""Height of the first rib's neck, and the distance to the next as a share of the lungs' height."""
RIB_CM, SPINE_CM, GIRDLE_CM = 0.5, 2.4, 1.3
"""Largest depths."""


def bone_depth(canvas: Canvas, build: Build, pose: Pose) -> Map:
    """Depth of bone along the beam, cm; what lies one behind the other adds up."""
    backs = [shape for side in SIDES for number in range(RIBS) for shape in _rib_back(build, number, side)]
    fronts = [shape for side in SIDES for number in range(FRONT_RIBS) for shape in _rib_front(build, number, side)]
    girdle = [shape for side in SIDES for shape in _girdle(build, pose, side)]
    ribs = canvas.paint(backs, RIB_CM) + canvas.paint(fronts, RIB_CM)
    return build.bone * (ribs + canvas.paint(girdle, GIRDLE_CM) + canvas.paint(_spine(pose), SPINE_CM))


def _rib_back(build: Build, number: int, side: int) -> Shapes:
    """Back part of a rib, from the spine to the side of the chest."""
    from_spine = np.arcsin(1.7 / _wall_at(max(_rib_height(build, number), 0), build))
    line = _rib_line(build, number, np.linspace(from_spine, 0.51 * np.pi, 30))
    return _tube(mirrored(line, side), np.linspace(0.48, 0.62, 30), depth=RIB_CM)


def _rib_front(build: Build, number: int, side: int) -> Shapes:
    """Front part of a rib, to where its cartilage begins; thinner, and falling towards the midline."""
    last = 0.86 if number < 6 else 0.78
    line = _rib_line(build, number, np.pi * np.linspace(0.49, last, 30))
    return _tube(mirrored(line, side), np.linspace(0.6, 0.75, 30), depth=0.7 * RIB_CM)


def _rib_line(build: Build, number: int, angle: Points) -> Points:
    """Centre of the patient's left rib: round the chest by ``angle`` (0 spine, pi breastbone), falling forwards."""
    fall = (3.4 + 0.62 * number) * (1 - np.cos(angle)) / 2 - 0.75 * np.sin(angle) ** 2 * (1 - angle / np.pi)
    y = _rib_height(build, number) + fall
    reach = wall(y.astype(np.float32), build) + 0.25
    return np.column_stack([reach * np.sin(angle), y])


def _rib_height(build: Build, number: int) -> float:
    """Height of a rib's neck."""
    return FIRST_RIB_CM + RIB_GAP * build.rib_gap * build.lung_height * number


def _tube(line: Points, half_widths: Points | float, *, depth: float) -> Shapes:
    """A shaft whose edges, seen along the shell, are denser than its middle."""
    return [(ribbon(line, half_widths), depth), (ribbon(line, 0.66 * np.asarray(half_widths)), 0.64 * depth)]


def _spine(pose: Pose) -> Shapes:
    """Vertebrae one below the other; they grow downwards."""
    shapes: Shapes = []
    y = -9.0
    for number in range(VERTEBRAE):
        height = min(1.5 + 0.06 * number, 2.6)
        shapes += _vertebra(y, height, half=min(1.45 + 0.03 * number, 1.95), turn_cm=pose.turn_cm)
        y += height + 0.3
    return shapes


def _vertebra(y: float, height: float, *, half: float, turn_cm: float) -> Shapes:
    """A body with denser end plates, pedicles, and the process behind it; the lower, the denser."""
    dense = min(max(0.5 + 0.03 * (y + 9), 0.5), 1)
    middle = y + height / 2
    waist = curve([(-half, y), (-0.9 * half, middle), (-half, y + height)], 8)
    block = np.concatenate([waist, mirrored(waist, -1)[::-1]])
    inside = (block - [0, middle]) * [0.9, 0.8] + [0, middle]
    process = ellipse((-0.35 * turn_cm, y + 1.15 * height), (0.24, 0.55))
    pedicles = [ellipse((side * 0.62 * half, y + 0.4 * height), (0.25, 0.38)) for side in SIDES]
    dots = [(outline, 1.3 * dense) for outline in pedicles]
    return [(block, 1.1 * dense), (inside, 0.95 * dense), *dots, (process, 1.45 * dense)]


def _girdle(build: Build, pose: Pose, side: int) -> Shapes:
    """Shoulder blade, arm and clavicle of one side."""
    clavicle = _clavicle(pose.clavicle_rise_cm, side * pose.turn_cm)
    shapes = [*_blade(_wall_at(9, build), pose.shoulders_cm), *_arm(pose), *clavicle]
    return [(mirrored(outline, side), depth) for outline, depth in shapes]


def _blade(wall_cm: float, inwards: float) -> Shapes:
    """A thin plate with thick borders; it covers lung unless the shoulders are rolled forward."""
    edge = wall_cm - inwards
    socket, upper, root, tip = (15.6 - 0.5 * inwards, 2.4), (edge + 0.6, 1.0), (edge + 0.4, 5.5), (edge + 2.2, 12.2)
    lateral = curve([tip, (edge + 3, 8), (15.2 - 0.5 * inwards, 3.6)], 20)
    medial = curve([upper, root, tip], 20)
    spine = curve([root, (14 - 0.7 * inwards, 2.6), (17.3 - 0.4 * inwards, 0.6)], 20)
    return [
        (np.concatenate([medial, lateral, [socket]]), 0.22),
        (ribbon(medial, 0.1), 0.5),
        (ribbon(lateral, 0.3), 0.65),
        (ribbon(spine, np.linspace(0.15, 0.6, 20)), 0.6),
    ]


def _arm(pose: Pose) -> Shapes:
    """Head and shaft of the humerus."""
    away = 0.6 if pose.is_ap else 2.0
    shaft = curve([(17.2, 3.8), (18.2 + away, 9.5), (18.6 + 2 * away, 22), (18.6 + 3 * away, 40)], 20)
    head = (17.0, 3.0)
    return [*_tube(shaft, 0.9, depth=1.0), (ellipse(head, (2.2, 2.4)), 1.0), (ellipse(head, (1.95, 2.15)), 0.8)]


def _clavicle(rise: float, shift: float) -> Shapes:
    """An S-shaped shaft from the breastbone to the shoulder."""
    inner = [(1.7 + shift, 4.6), (4.5, 4.2 - 0.5 * rise), (9.0, 2.2 - rise)]
    line = curve([*inner, (13.0, 0.8 - 0.8 * rise), (17.0, 1.0 - 0.4 * rise)])
    half = np.interp(np.arange(len(line)), [0, 5, 20, 39], [0.85, 0.6, 0.5, 0.7])
    return _tube(line, half, depth=0.95)


def _wall_at(y: float, build: Build) -> float:
    """Half width of the cavity at one height, cm."""
    return float(wall(np.array([y], np.float32), build)[0])
