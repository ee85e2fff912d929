"""Signs of the shape of heart, diaphragm and lungs as a whole."""

from dataclasses import replace

import numpy as np

from cxrbench.data.phantom.build import Build
from cxrbench.data.phantom.scene import Instance, Scene
from cxrbench.data.phantom.shapes import chord, step
from cxrbench.data.phantom.tissue import Tissue


def enlarge_heart(build: Build, one: Instance) -> Build:
    """Cardiomegaly: the heart is wider than half of the chest."""
    return replace(build, heart_size=build.heart_size * (1.12 + 0.26 * one.strength + one.rng.uniform(-0.03, 0.03)))


def flatten_domes(build: Build, one: Instance) -> Build:
    """Emphysema: over-inflated lungs push the diaphragm down and flat, and the heart looks narrow."""
    strength = min(one.strength, 1.2)
    return replace(
        build,
        lung_height=build.lung_height * (1 + 0.09 * strength),
        dome_height=build.dome_height * (1 - 0.65 * strength),
        heart_size=build.heart_size * (1 - 0.12 * strength),
    )


def rarefy_lungs(tissue: Tissue, scene: Scene, one: Instance) -> Tissue:
    """Emphysema: less tissue and fewer vessels, most of all in the upper lungs."""
    lost = min(one.strength, 1.5) * (0.2 + 0.3 * step(0.55 - scene.height, 0.15))
    return replace(tissue, density=tissue.density * (1 - lost), blood=tissue.blood * (1 - 0.9 * lost))


def draw_hernia(tissue: Tissue, scene: Scene, one: Instance) -> Tissue:
    """A part of the stomach behind the heart: a round opacity with a wall, and air above a fluid level."""
    radius = one.rng.uniform(2.4, 3.6)
    centre = (one.rng.uniform(-0.8, 1.8), scene.build.lung_height - one.rng.uniform(0.5, 1.2) * radius)
    distance = scene.distance(centre, radius)
    gas = chord((distance / 0.9) ** 2) * step(centre[1] + 0.1 * radius - scene.canvas.grid[1], 0.06)
    change = one.strength * radius * (1.3 * chord(distance**2) - 2.6 * gas)
    return replace(tissue, soft=np.clip(tissue.soft + change, 0, None))
