"""Air outside the lungs: windpipe and main bronchi, stomach and bowel, as depth along the beam."""

import numpy as np

from cxrbench.data.phantom.build import Build, Pose
from cxrbench.data.phantom.canvas import Canvas, Map, blur, chord, curve

TUBE_CM = 1.9


def gas_depth(canvas: Canvas, build: Build, pose: Pose) -> Map:
    """Depth of gas along the beam, cm."""
    return airways(canvas, build, pose) + _stomach(canvas, build, pose)


def airways(canvas: Canvas, build: Build, pose: Pose) -> Map:
    """Windpipe, pushed to the right by the aortic arch, and the two main bronchi."""
    fork = 0.37 * build.lung_height
    shift = 0.4 * pose.turn_cm
    windpipe = curve([(shift, -8), (shift, 0), (shift - 0.25, 0.6 * fork), (-0.35 + shift, fork)], 16)
    right = curve([(-0.35 + shift, fork), (-1.9, fork + 1.9), (-3.0, fork + 3.8)], 8)
    left = curve([(-0.35 + shift, fork), (1.6, fork + 1.6), (3.9, fork + 2.8)], 8)
    tubes = [(windpipe, 1.75), (right, 1.2), (left, 1.05)]
    starts, ends = (np.concatenate([line[part] for line, _ in tubes]) for part in (slice(None, -1), slice(1, None)))
    widths = np.concatenate([np.full(len(line) - 1, width) for line, width in tubes])
    return blur(canvas.strokes(starts, ends, widths, top=TUBE_CM), 0.12 / canvas.pixel_cm)


def _stomach(canvas: Canvas, build: Build, pose: Pose) -> Map:
    """A bubble under the left dome, and some gas in the bowel; upright, fluid levels cut the bubble off below."""
    rng = np.random.default_rng([build.seed, 1])
    x, y = canvas.grid
    top = build.lung_height + build.left_dome_drop
    width, height = rng.uniform(2.0, 3.6), rng.uniform(1.2, 2.2)
    centre_y = top + 1.2 + height
    bubble = 5.5 * chord(((x - rng.uniform(4.5, 7.0)) / width) ** 2 + ((y - centre_y) / height) ** 2)
    if not pose.is_ap:
        bubble = bubble * (y < centre_y + 0.35 * height)
    bowel = 3.0 * chord(((x - rng.uniform(5, 9)) / rng.uniform(1, 2)) ** 2 + ((y - top - rng.uniform(7, 9)) / 1.3) ** 2)
    return np.float32(build.gastric_gas) * np.maximum(bubble, bowel).astype(np.float32)
