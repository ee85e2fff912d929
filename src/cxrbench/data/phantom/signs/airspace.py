"""Opacities of the lung itself: fluid, cells or collapse in place of air, and thickened septa."""

from dataclasses import replace

import numpy as np

from cxrbench.data.phantom.build import Build
from cxrbench.data.phantom.markings import hilum
from cxrbench.data.phantom.scene import Instance, Scene
from cxrbench.data.phantom.shapes import Map, bell, step
from cxrbench.data.phantom.tissue import Tissue

SIDES = (-1, 1)
PATCH, CONSOLIDATION, LOBE, PLATE, HAZE = 0.34, 0.5, 0.45, 0.45, 0.34
"""Share of the air replaced where each is plainest."""
NET, SEPTA = 0.45, 0.17
"""Optical depth of the lines of fibrosis, and of Kerley B lines."""


def draw_patch(tissue: Tissue, scene: Scene, one: Instance) -> Tissue:
    """Infiltration: an ill-defined, mottled patch."""
    centre = scene.place(one.side, one.rng.uniform(0.2, 0.95), one.rng.uniform(0.15, 0.8))
    radius = one.rng.uniform(2.2, 4)
    mottle = 0.85 + 0.12 * scene.canvas.noise(0.8, one.rng) + 0.3 * scene.canvas.noise(2, one.rng)
    cloud = bell(scene.distance(centre, radius, radius * one.rng.uniform(0.7, 1.2))) * mottle
    return tissue.filled(PATCH * one.strength * cloud)


def draw_consolidation(tissue: Tissue, scene: Scene, one: Instance) -> Tissue:
    """A dense patch with an uneven border, in which air-filled bronchi stand out."""
    centre = scene.place(one.side, one.rng.uniform(0.3, 0.95), one.rng.uniform(0.2, 0.75))
    radius = one.rng.uniform(3, 4.8)
    within = 1 - scene.distance(centre, radius, radius * one.rng.uniform(0.7, 1.1))
    ragged = within + 0.13 * scene.canvas.noise(1.2, one.rng)
    return tissue.filled(CONSOLIDATION * one.strength * step(ragged, 0.1) * _around_bronchi(tissue))


def draw_lobe(tissue: Tissue, scene: Scene, one: Instance) -> Tissue:
    """Pneumonia: part of a lobe, bounded sharply by a fissure and fading away from it."""
    is_upper = one.rng.random() < 0.4
    height = one.rng.uniform(0.38, 0.46) if is_upper else one.rng.uniform(0.55, 0.68)
    fissure = height * scene.build.lung_height + one.rng.uniform(-0.12, 0.12) * (scene.reach(one.side) - 7)
    beyond = (fissure - scene.canvas.grid[1]) * (1 if is_upper else -1)  # cm, positive within the lobe
    centre = scene.place(one.side, height + (-0.12 if is_upper else 0.2), one.rng.uniform(0.35, 0.7))
    cloud = bell(scene.distance(centre, 5, 4.2), 4) * (0.9 + 0.12 * scene.canvas.noise(1.4, one.rng))
    return tissue.filled(LOBE * one.strength * step(beyond, 0.1) * cloud * _around_bronchi(tissue))


def raise_dome(build: Build, one: Instance) -> Build:
    """Loss of volume: the hemidiaphragm of the collapsed side is pulled up."""
    rise = 0.6 + 1.2 * one.strength
    return replace(build, left_rise=rise) if one.side > 0 else replace(build, right_rise=rise)


def draw_plate(tissue: Tissue, scene: Scene, one: Instance) -> Tissue:
    """Atelectasis: a band across the lower lung, sharp on both sides, with less air around it."""
    centre = scene.place(one.side, one.rng.uniform(0.68, 0.9), one.rng.uniform(0.4, 0.65))
    angle = np.deg2rad(one.rng.uniform(-25, 25)).item()
    x, y = scene.canvas.grid[0] - centre[0], scene.canvas.grid[1] - centre[1]
    along = (x * np.cos(angle).item() + y * np.sin(angle).item()) / one.rng.uniform(2.4, 4)
    across = y * np.cos(angle).item() - x * np.sin(angle).item() - 0.3 * along**2
    band = bell(along, 4) * bell(across / one.rng.uniform(0.3, 0.55), 4)
    shade = 0.25 * bell(along) * bell((across - 1) / 1.8)
    return tissue.filled(PLATE * one.strength * np.maximum(band, shade))


def draw_edema(tissue: Tissue, scene: Scene, one: Instance) -> Tissue:
    """Haze spreading from both hila, wide vessels, and short septal lines at the bases."""
    hila = [(hilum(scene.build, side), side) for side in SIDES]
    haze = np.maximum(*(bell(scene.distance((x + 2.5 * side, y + 2), 6.2, 8)) for (x, y), side in hila))
    cloud = haze * (0.85 + 0.15 * scene.canvas.noise(1.6, one.rng))
    wet = tissue.filled(HAZE * one.strength * cloud).thickened(SEPTA * one.strength * _septa(tissue, scene))
    return replace(wet, blood=wet.blood * (1 + 0.5 * one.strength))


def draw_reticulation(tissue: Tissue, scene: Scene, one: Instance) -> Tissue:
    """Fibrosis: a net of fine lines, densest at the bases and near the chest wall."""
    mesh_cm = max(0.8, 2 * scene.detail_cm)
    net = np.maximum(*(bell(scene.canvas.noise(mesh_cm, one.rng) / 0.22) for _ in SIDES))
    near_wall = np.maximum(*(bell(scene.from_wall(side) / 4.5) * (scene.reach(side) > 0) for side in SIDES))
    where = (0.2 + 0.8 * step(scene.height - 0.6, 0.1)) * (0.35 + 0.65 * near_wall)
    return tissue.thickened(NET * one.strength * net * where * np.clip(tissue.lung / 5, 0, 1))


def _septa(tissue: Tissue, scene: Scene) -> Map:
    """Kerley B lines: short horizontal lines at the lower chest wall."""
    spacing_cm = max(0.7, 2.2 * scene.detail_cm)
    lines = np.clip(np.sin(scene.canvas.grid[1] * (2 * np.pi / spacing_cm)) - 0.6, 0, None) / 0.4
    at_wall = np.maximum(*(bell((scene.from_wall(side) - 0.9) / 0.7, 4) for side in SIDES))
    lines_at_bases: Map = lines * at_wall * step(scene.height - 0.7, 0.02) * (tissue.lung > 0.5)
    return lines_at_bases


def _around_bronchi(tissue: Tissue) -> Map:
    """1 in the lung, less along the larger vessels, beside which the bronchi run."""
    share: Map = 1 - 0.5 * np.clip((tissue.blood - 0.3) / 0.6, 0, 1)
    return share
