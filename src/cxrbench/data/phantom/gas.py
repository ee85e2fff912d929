"""Air outside the lungs: windpipe and main bronchi, stomach and bowel, as depth along the beam."""

import numpy as np

from cxrbench.data.phantom.build import Build, Pose
from cxrbench.data.phantom.canvas import Canvas
from cxrbench.data.phantom.shapes import Map, blur, chord, curve

CARINA = 0.37
"""Height of the windpipe's fork, as a share of the lungs'."""
WIDEST_CM = 2.6
AIRWAY_CONTRAST = 1.5
"""Over that of the drawn width, because airways are wider than the tubes that are drawn."""
BUBBLE_CM, BOWEL_CM = 5.5, 3.0


def gas_depth(canvas: Canvas, build: Build, pose: Pose) -> Map:
    """Depth of gas along the beam, cm."""
    return _airways(canvas, build, pose) + _belly(canvas, build, pose)


def _airways(canvas: Canvas, build: Build, pose: Pose) -> Map:
    """Windpipe, pushed to the right by the aortic arch, and the two main bronchi."""
    fork, shift = CARINA * build.lung_height, 0.4 * pose.turn_cm
    windpipe = curve([(shift, -8), (shift, 0), (shift - 0.25, 0.6 * fork), (shift - 0.35, fork)], 16)
    right = curve([(shift - 0.35, fork), (-1.9, fork + 1.9), (-3.0, fork + 3.8)], 8)
    left = curve([(shift - 0.35, fork), (1.6, fork + 1.6), (3.9, fork + 2.8)], 8)
    tubes = [(windpipe, 1.8), (right, 1.3), (left, 1.15)]
    starts, ends = (np.concatenate([line[part] for line, _ in tubes]) for part in (slice(None, -1), slice(1, None)))
    widths = np.concatenate([np.full(len(line) - 1, width) for line, width in tubes])
    return AIRWAY_CONTRAST * blur(canvas.tubes(starts, ends, widths, top=WIDEST_CM), 0.12 / canvas.pixel_cm)


def _belly(canvas: Canvas, build: Build, pose: Pose) -> Map:
    """A bubble in the stomach below the left dome, cut off by its fluid level when standing, and one in the bowel."""
    rng = np.random.default_rng([build.seed, 1])
    x, y = canvas.grid
    top = build.lung_height + build.left_dome_drop - build.left_rise
    width, height = rng.uniform(2, 3.6), rng.uniform(1.2, 2.2)
    middle = top + 1.2 + height
    bubble = BUBBLE_CM * chord(((x - rng.uniform(4.5, 7)) / width) ** 2 + ((y - middle) / height) ** 2)
    if not pose.is_ap:
        bubble = bubble * (y < middle + 0.35 * height)
    down = (y - top - rng.uniform(7, 9)) / 1.3
    bowel = BOWEL_CM * chord(((x - rng.uniform(5, 9)) / rng.uniform(1, 2)) ** 2 + down**2)
    depth: Map = build.gastric_gas * np.maximum(bubble, bowel)
    return depth
