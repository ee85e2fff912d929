"""Between lung and chest wall: fluid, air, and thickened pleura."""

from dataclasses import replace

import numpy as np

from cxrbench.data.phantom import cavity
from cxrbench.data.phantom.scene import Scene, filled, step
from cxrbench.data.phantom.tissue import SOFT_PER_CM, Tissue


def draw_effusion(tissue: Tissue, scene: Scene, strength: float, rng: np.random.Generator) -> Tissue:
    """Fluid: blunts the costophrenic angle and climbs the wall in a meniscus; lying, it also veils the lower lung."""
    side = rng.choice([-1, 1])
    y = scene.canvas.grid[1]
    from_wall = np.clip(scene.inside_wall(side), 0, None)
    angle_y = scene.build.lung_height + scene.build.dome_height
    level = angle_y - (1.6 + 4.8 * strength * rng.uniform(0.6, 1.0))
    surface = level + 1.6 * (1 - np.exp(-from_wall / 6)) - 2.2 * np.exp(-from_wall / 1.1)
    fluid = 0.85 * step(y - surface, 0.25)
    if scene.pose.is_ap:
        fluid = np.maximum(fluid, 0.3 * strength * step(y - np.float32(level - 5), 2.0))
    return filled(tissue, fluid * (scene.reach(side) > 0))


def draw_pneumothorax(tissue: Tissue, scene: Scene, strength: float, rng: np.random.Generator) -> Tissue:
    """Free air: no lung markings beyond the thin line of the visceral pleura, widest at the apex."""
    side = rng.choice([-1, 1])
    y, reach = scene.canvas.grid[1], scene.reach(side)
    apex_gap, wall_gap = 1.2 + 2.6 * strength, 0.6 + 1.6 * strength
    collapsed = cavity.wall(y - np.float32(apex_gap), scene.build) - np.float32(wall_gap)
    fade = np.clip(1.15 - y / np.float32(scene.build.lung_height), 0.15, 1)  # the gap closes towards the base
    collapsed = collapsed + (cavity.wall(y, scene.build) - collapsed) * (1 - fade)
    beyond = np.minimum(reach - collapsed, tissue.lung * 4)  # cm outside the collapsed lung
    beyond = np.maximum(beyond, np.where(reach > 0, np.float32(apex_gap) - y, -9)).astype(np.float32)
    free = step(beyond, 0.04) * (reach > 0)
    width = max(0.09, 0.45 * scene.detail_cm)
    line = np.exp(-((beyond / width) ** 2)) * (reach > 0) * np.clip(tissue.lung, 0, 1)
    return replace(
        tissue,
        density=tissue.density * (1 - free),
        blood=tissue.blood * (1 - free),
        soft=tissue.soft + np.float32(strength * 0.14 / SOFT_PER_CM) * line,
    )


def draw_thickening(tissue: Tissue, scene: Scene, strength: float, rng: np.random.Generator) -> Tissue:
    """A rim of soft tissue along the wall, of uneven thickness, often as a cap over the apex."""
    side = rng.choice([-1, 1])
    share = scene.canvas.grid[1] / np.float32(scene.build.lung_height)
    middle, extent = rng.choice([0.08, 0.5, 0.75]), rng.uniform(0.14, 0.3)
    thickness = (0.5 + 0.7 * strength) * np.exp(-(((share - middle) / extent) ** 4))
    bumps = np.clip(1 + 0.3 * scene.canvas.noise(1.0, rng), 0.3, None)
    rim = step(thickness * bumps - np.clip(scene.inside_wall(side), 0, None), 0.1) * (thickness > 0.1)
    return filled(tissue, 0.7 * strength * rim * (scene.reach(side) > 0))
