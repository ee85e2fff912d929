"""A healthy chest: all organs put together."""

import numpy as np

from cxrbench.data.phantom.cavity import lung_depth
from cxrbench.data.phantom.gas import gas_depth
from cxrbench.data.phantom.markings import vessel_depth
from cxrbench.data.phantom.scene import Scene
from cxrbench.data.phantom.skeleton import bone_depth
from cxrbench.data.phantom.tissue import LUNG_DENSITY, Tissue
from cxrbench.data.phantom.trunk import body_depth

GRAIN, GRAIN_PX = 0.07, 2.2
"""Fluctuation of the lung's density, and its cell in pixels of the smallest input that shows small nodules.

So the grains are as fine as half of that input can resolve, and there a nodule is one grain among many.
"""
UNEVENNESS, UNEVENNESS_CM = 0.018, 3.0
"""Relative fluctuation of the body's depth, and its cell: muscles, fat and folds that are not drawn."""


def draw_anatomy(scene: Scene) -> Tissue:
    """What the beam meets in a chest without findings."""
    canvas, build, pose = scene.canvas, scene.build, scene.pose
    rng = np.random.default_rng(build.seed)
    blood = vessel_depth(canvas, build, rng)
    uneven = 1 + UNEVENNESS * canvas.noise(UNEVENNESS_CM, rng)
    lung = lung_depth(*canvas.grid, build)
    air = lung + gas_depth(canvas, build, pose)
    return Tissue(
        soft=np.clip(body_depth(canvas, build, pose) * uneven - air, 0, None),
        lung=lung,
        density=np.full_like(lung, LUNG_DENSITY),
        grain=GRAIN * canvas.noise(GRAIN_PX * scene.detail_cm, rng),
        blood=blood * np.clip(lung / 9, 0, 1),
        bone=bone_depth(canvas, build, pose),
    )
