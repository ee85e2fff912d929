"""Round opacities: nodules and masses."""

from dataclasses import replace

import numpy as np

from cxrbench.data.phantom.canvas import chord
from cxrbench.data.phantom.scene import Scene
from cxrbench.data.phantom.tissue import SOFT_PER_CM, Tissue

NODULE_PX = (1.9, 2.5)
"""Diameters in pixels of the smallest input that shows them: at half of it they fall between the pixels."""
NODULE_DEPTH = 0.30
MASS_CM = (3.0, 6.5)


def draw_nodule(tissue: Tissue, scene: Scene, strength: float, rng: np.random.Generator) -> Tissue:
    """One small, round, well-defined opacity, denser than its size alone would make it (calcified)."""
    side = rng.choice([-1, 1])
    centre = scene.place(side, rng.uniform(0.18, 0.92), rng.uniform(0.25, 0.88))
    radius = rng.uniform(*NODULE_PX) * scene.detail_cm / 2
    ball = np.exp(-(scene.distance(centre, radius) ** 4))
    return replace(tissue, soft=tissue.soft + np.float32(strength * NODULE_DEPTH / SOFT_PER_CM) * ball)


def draw_mass(tissue: Tissue, scene: Scene, strength: float, rng: np.random.Generator) -> Tissue:
    """A ball of more than 3 cm with a lobulated border, in place of lung."""
    side = rng.choice([-1, 1])
    centre = scene.place(side, rng.uniform(0.15, 0.9), rng.uniform(0.2, 0.85))
    diameter = rng.uniform(*MASS_CM)
    x, y = scene.canvas.grid
    angle = np.arctan2(y - centre[1], x - centre[0])
    lobes = 1 + 0.07 * np.sin(3 * angle + rng.uniform(0, 6)) + 0.04 * np.sin(7 * angle + rng.uniform(0, 6))
    ball = diameter * chord((scene.distance(centre, diameter / 2) / lobes) ** 2)
    ball = np.minimum(ball, tissue.lung) * (1 - tissue.density)
    return replace(tissue, soft=tissue.soft + np.float32(0.75 * strength) * ball.astype(np.float32))
