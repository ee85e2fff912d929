"""Opacities of the lung itself: fluid, cells or collapse in place of air, and thickened septa."""

from dataclasses import replace

import numpy as np

from cxrbench.data.phantom.build import Build
from cxrbench.data.phantom.canvas import Map
from cxrbench.data.phantom.markings import hilum
from cxrbench.data.phantom.scene import Scene, filled, step
from cxrbench.data.phantom.tissue import SOFT_PER_CM, Tissue


def draw_patch(tissue: Tissue, scene: Scene, strength: float, rng: np.random.Generator) -> Tissue:
    """Infiltration: an ill-defined, mottled patch."""
    side = rng.choice([-1, 1])
    centre = scene.place(side, rng.uniform(0.2, 0.95), rng.uniform(0.15, 0.8))
    radius = rng.uniform(2.2, 4.0)
    mottle = 0.65 + 0.45 * scene.canvas.noise(0.7, rng)
    patch = np.exp(-(scene.distance(centre, radius, radius * rng.uniform(0.7, 1.2)) ** 2)) * mottle
    return filled(tissue, 0.34 * strength * patch)


def draw_consolidation(tissue: Tissue, scene: Scene, strength: float, rng: np.random.Generator) -> Tissue:
    """A dense patch with an uneven border, in which air-filled bronchi stand out."""
    side = rng.choice([-1, 1])
    centre = scene.place(side, rng.uniform(0.3, 0.95), rng.uniform(0.2, 0.75))
    radius = rng.uniform(3.0, 4.8)
    ragged = 1 - scene.distance(centre, radius, radius * rng.uniform(0.7, 1.1)) + 0.18 * scene.canvas.noise(1.2, rng)
    return filled(tissue, 0.6 * strength * step(ragged, 0.07) * _around_bronchi(tissue))


def draw_lobe(tissue: Tissue, scene: Scene, strength: float, rng: np.random.Generator) -> Tissue:
    """Pneumonia: part of a lobe, fading away from the fissure that bounds it sharply."""
    side = rng.choice([-1, 1])
    is_upper = rng.random() < 0.4
    height = rng.uniform(0.38, 0.46) if is_upper else rng.uniform(0.55, 0.68)
    fissure = height * scene.build.lung_height + rng.uniform(-0.12, 0.12) * (scene.reach(side) - 7)
    beyond = (fissure - scene.canvas.grid[1]) * (1 if is_upper else -1)  # cm, positive within the lobe
    x, y = scene.place(side, height + (-0.12 if is_upper else 0.2), rng.uniform(0.35, 0.7))
    body = np.exp(-(scene.distance((x, y), 5.0, 4.2) ** 4))
    cloud = 0.85 + 0.2 * scene.canvas.noise(0.8, rng)
    return filled(tissue, 0.5 * strength * step(beyond, 0.1) * body * cloud * _around_bronchi(tissue))


def raise_dome(build: Build, strength: float, rng: np.random.Generator) -> Build:
    """Loss of volume: the hemidiaphragm of the collapsed side is pulled up."""
    side = rng.choice([-1, 1])
    rise = 0.6 + 1.2 * strength
    return replace(build, right_rise=rise if side < 0 else 0.0, left_rise=rise if side > 0 else 0.0)


def draw_plate(tissue: Tissue, scene: Scene, strength: float, rng: np.random.Generator) -> Tissue:
    """Atelectasis: a band across the lower lung, sharp on both sides."""
    side = rng.choice([-1, 1])
    centre = scene.place(side, rng.uniform(0.68, 0.9), rng.uniform(0.4, 0.65))
    angle = np.deg2rad(rng.uniform(-25, 25))
    x, y = scene.canvas.grid[0] - np.float32(centre[0]), scene.canvas.grid[1] - np.float32(centre[1])
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    half_length, half_width = rng.uniform(2.4, 4.0), rng.uniform(0.3, 0.55)
    band = np.exp(-((along / half_length) ** 4) - ((across - 0.03 * along**2) / half_width) ** 4)
    shade = 0.25 * np.exp(-((along / half_length) ** 2) - ((across - 1) / 1.8) ** 2)  # less air around it
    return filled(tissue, 0.42 * strength * np.maximum(band, shade))


def draw_edema(tissue: Tissue, scene: Scene, strength: float, rng: np.random.Generator) -> Tissue:
    """Haze spreading from both hila, wide blurred vessels, and short septal lines at the bases."""
    haze = np.zeros_like(tissue.lung)
    for side in (-1, 1):
        x, y = hilum(scene.build, side)
        haze = np.maximum(haze, np.exp(-(scene.distance((x + 2.5 * side, y + 2.0), 6.2, 8.0) ** 2)))
    cloud = 0.8 + 0.22 * scene.canvas.noise(1.0, rng)
    wet = filled(tissue, 0.34 * strength * haze * cloud)
    return replace(wet, blood=wet.blood * np.float32(1 + 0.5 * strength), soft=wet.soft + strength * _septa(tissue, scene))


def _septa(tissue: Tissue, scene: Scene) -> Map:
    """Kerley B lines: short horizontal lines at the lower chest wall, cm of soft tissue."""
    lines = np.clip(np.sin(2 * np.pi * scene.canvas.grid[1] / max(0.7, 2.2 * scene.detail_cm)) - 0.6, 0, None)
    at_wall = sum(np.exp(-(((scene.inside_wall(side) - 0.9) / 0.7) ** 4)) for side in (-1, 1))
    low = step(scene.canvas.grid[1] - np.float32(0.7 * scene.build.lung_height), 0.5)
    return (0.9 * lines * at_wall * low * (tissue.lung > 0.5)).astype(np.float32)


def draw_reticulation(tissue: Tissue, scene: Scene, strength: float, rng: np.random.Generator) -> Tissue:
    """Fibrosis: a net of fine lines, densest at the bases and near the chest wall."""
    mesh_cm = max(0.55, 1.5 * scene.detail_cm)
    net = np.maximum(*(np.exp(-((scene.canvas.noise(mesh_cm, rng) / 0.22) ** 2)) for _ in range(2)))
    share = scene.canvas.grid[1] / np.float32(scene.build.lung_height)
    near_wall = sum(np.exp(-((np.clip(scene.inside_wall(side), 0, None) / 4.5) ** 2)) for side in (-1, 1))
    where = (0.2 + 0.8 * step(share - 0.6, 0.1)) * (0.35 + 0.65 * near_wall)
    return replace(tissue, soft=tissue.soft + np.float32(0.17 * strength / SOFT_PER_CM) * net * where * np.clip(tissue.lung / 5, 0, 1))


def _around_bronchi(tissue: Tissue) -> Map:
    """1 in the lung, low along the larger vessels, beside which the bronchi run."""
    return 1 - 0.75 * np.clip((tissue.blood - 0.25) / 0.5, 0, 1)
