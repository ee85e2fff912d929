"""Between lung and chest wall: fluid, air, and thickened pleura."""

from dataclasses import replace

import numpy as np

from cxrbench.data.phantom.cavity import wall
from cxrbench.data.phantom.scene import Instance, Scene
from cxrbench.data.phantom.shapes import Map, bell, step
from cxrbench.data.phantom.tissue import Tissue

LINE = 0.14
"""Optical depth of the visceral pleura seen on edge."""
RIM = 0.7
"""Share of the air replaced by thickened pleura."""


def draw_effusion(tissue: Tissue, scene: Scene, one: Instance) -> Tissue:
    """Fluid: blunts the costophrenic angle and climbs the wall in a meniscus; lying, it also veils the lower lung."""
    y, from_wall = scene.canvas.grid[1], scene.from_wall(one.side)
    drop = scene.build.left_dome_drop if one.side > 0 else 0.0
    angle = scene.build.lung_height + scene.build.dome_height + drop
    level = angle - (1.6 + 4.8 * one.strength * one.rng.uniform(0.6, 1))
    surface = level + 1.6 * (1 - np.exp(-from_wall / 6)) - 2.2 * np.exp(-from_wall / 1.1)
    fluid = 0.85 * step(y - surface, 0.25)
    if scene.pose.is_ap:
        fluid = np.maximum(fluid, 0.3 * one.strength * step(y - (level - 5), 2))
    return tissue.filled(fluid * (scene.reach(one.side) > 0))


def draw_pneumothorax(tissue: Tissue, scene: Scene, one: Instance) -> Tissue:
    """Free air: no lung markings beyond the thin line of the visceral pleura; widest at the apex."""
    is_side = scene.reach(one.side) > 0
    beyond = _beyond_collapsed_lung(scene, one)
    kept = 1 - step(beyond, 0.04) * is_side
    line = bell(beyond / max(0.09, 0.45 * scene.detail_cm)) * is_side * np.clip(tissue.lung, 0, 1)
    emptied = replace(tissue, density=tissue.density * kept, blood=tissue.blood * kept)
    return emptied.thickened(LINE * one.strength * line)


def draw_thickening(tissue: Tissue, scene: Scene, one: Instance) -> Tissue:
    """A rim of soft tissue along the wall, of uneven thickness; often as a cap over the apex."""
    middle, extent = float(one.rng.choice([0.12, 0.5, 0.75])), one.rng.uniform(0.14, 0.3)
    thickness = (0.5 + 0.7 * one.strength) * bell((scene.height - middle) / extent, 4)
    bumps = np.clip(1 + 0.25 * scene.canvas.noise(1.8, one.rng), 0.4, None)
    rim = step(thickness * bumps - scene.from_wall(one.side), 0.1) * (thickness > 0.1)
    return tissue.filled(RIM * one.strength * rim * (scene.reach(one.side) > 0))


def _beyond_collapsed_lung(scene: Scene, one: Instance) -> Map:
    """Distance outwards or upwards from the surface of the collapsed lung, cm; negative within it."""
    y = scene.canvas.grid[1]
    apex_gap, wall_gap = 1.2 + 2.6 * one.strength, 0.6 + 1.6 * one.strength
    open_share = np.clip(1.15 - scene.height, 0.15, 1)  # the gap closes towards the base
    full = wall(y, scene.build)
    collapsed = full + (wall(y - apex_gap, scene.build) - wall_gap - full) * open_share
    beyond: Map = np.maximum(scene.reach(one.side) - collapsed, apex_gap - y)
    return beyond
