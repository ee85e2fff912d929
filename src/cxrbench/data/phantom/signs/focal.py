"""Round opacities: nodules and masses."""

import numpy as np

from cxrbench.data.phantom.scene import Instance, Scene
from cxrbench.data.phantom.shapes import bell, chord
from cxrbench.data.phantom.tissue import SOFT_PER_CM, Tissue

NODULE_PX = (1.7, 2.4)
"""Diameters in pixels of the smallest input that shows them: at half of it they are about one."""
NODULE_DEPTH = 2.2
"""Optical depth of the plainest: calcified, and still denser than any so small, for networks must find them."""
HALO_RADIUS, HALO_SHARE = 1.8, 1.0
"""Radius of the over-inflated lung round a nodule, relative to the nodule's, and the share of its shadow that this ring
takes away: what blurs the two into one, as halving the resolution does, leaves little of either."""
CORE_AREA, HALO_AREA = np.pi**1.5 / 2, np.pi * HALO_RADIUS**2
"""Integrals of the two profiles, for a radius of 1."""
MASS_CM = (3.0, 6.5)
MASS_SHARE = 1.1
"""Density, relative to soft tissue, of the plainest."""


def draw_nodule(tissue: Tissue, scene: Scene, one: Instance) -> Tissue:
    """One small, round, well-defined opacity."""
    centre = scene.place(one.side, one.rng.uniform(0.18, 0.92), one.rng.uniform(0.25, 0.88))
    radius = one.rng.uniform(*NODULE_PX) * scene.detail_cm / 2
    core = bell(scene.distance(centre, radius), 4)
    halo = bell(scene.distance(centre, HALO_RADIUS * radius)) * (HALO_SHARE * CORE_AREA / HALO_AREA)
    return tissue.thickened(one.strength * NODULE_DEPTH * (core - halo))


def draw_mass(tissue: Tissue, scene: Scene, one: Instance) -> Tissue:
    """A ball of 3 cm or more with a lobulated border, in place of lung."""
    centre = scene.place(one.side, one.rng.uniform(0.15, 0.9), one.rng.uniform(0.2, 0.85))
    diameter = one.rng.uniform(*MASS_CM)
    x, y = scene.canvas.grid
    angle = np.arctan2(y - centre[1], x - centre[0])
    lobes = 1 + 0.07 * np.sin(3 * angle + one.rng.uniform(0, 6)) + 0.04 * np.sin(7 * angle + one.rng.uniform(0, 6))
    ball = diameter * chord((scene.distance(centre, diameter / 2) / lobes) ** 2)
    displaced = np.minimum(ball, tissue.lung) * (1 - tissue.density)
    return tissue.thickened(MASS_SHARE * one.strength * SOFT_PER_CM * displaced)
