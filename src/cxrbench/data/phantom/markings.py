"""Lung markings: the pulmonary vessels, branching from the hila."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxrbench.data.phantom.build import USUAL_LUNG_CM, Build
from cxrbench.data.phantom.canvas import Canvas
from cxrbench.data.phantom.shapes import Map, Points

# Direction (degrees below the horizontal, outwards), calibre (cm) and length (cm) of the first branches.
ROOTS = (
    (-98, 0.5, 1.4), (-80, 0.65, 1.7), (-56, 0.65, 1.7), (-28, 0.5, 1.5), (5, 0.55, 1.6),
    (28, 0.65, 1.7), (48, 0.75, 1.8), (64, 0.85, 2.0), (78, 0.95, 2.1), (94, 0.8, 1.9),
)  # fmt: skip
FORKS = 6
WIDEST_CM = 1.6
CONTRAST, FLATNESS = 1.9, 0.8
"""Depth of blood for a calibre of 1 cm, and the power with which it grows: small vessels come in bundles, and beside
airways whose walls add to them."""


@dataclass(frozen=True)
class Branches:
    """Straight pieces of vessels."""

    starts: Points  # (K, 2)
    directions: NDArray[np.float64]  # (K,) radians, image axes
    widths: NDArray[np.float64]  # (K,) cm
    lengths: NDArray[np.float64]  # (K,) cm

    @property
    def ends(self) -> Points:
        """(K, 2): where the pieces end."""
        headings = np.column_stack([np.cos(self.directions), np.sin(self.directions)])
        return np.asarray(self.starts + self.lengths[:, None] * headings)


def hilum(build: Build, side: int) -> tuple[float, float]:
    """Where the vessels enter a lung, cm; the left hilum is higher."""
    return (3.6, 0.425 * build.lung_height) if side > 0 else (-3.2, 0.47 * build.lung_height)


def vessel_depth(canvas: Canvas, build: Build, rng: np.random.Generator) -> Map:
    """Depth of blood in lung vessels along the beam, cm; also drawn beyond the lungs, where the caller hides it."""
    trees = [branches for side in (-1, 1) for branches in _tree(build, side, rng)]
    starts = np.concatenate([tree.starts for tree in trees])
    ends = np.concatenate([tree.ends for tree in trees])
    widths = np.concatenate([tree.widths for tree in trees])
    calibre = canvas.tubes(starts, ends, widths, top=WIDEST_CM)
    depth: Map = CONTRAST * calibre**FLATNESS
    return depth


def _tree(build: Build, side: int, rng: np.random.Generator) -> list[Branches]:
    """Vessels of one lung, generation by generation; between forks they bend."""
    tree = [_roots(build, side, rng)]
    for _ in range(FORKS):
        tree.append(_bent(tree[-1], rng))
        tree.append(_forked(tree[-1], rng))
    return tree


def _roots(build: Build, side: int, rng: np.random.Generator) -> Branches:
    """First branches, from just outside the mediastinum."""
    angles, widths, lengths = np.array(ROOTS).T
    down = np.deg2rad(angles + rng.normal(0, 10, len(ROOTS)))
    starts = np.array(hilum(build, side)) + rng.normal(0, 0.4, (len(ROOTS), 2))
    scale = build.lung_height / USUAL_LUNG_CM * rng.uniform(0.7, 1.2, len(ROOTS))
    return Branches(starts, down if side > 0 else np.pi - down, build.markings * widths, scale * lengths)


def _bent(parents: Branches, rng: np.random.Generator) -> Branches:
    """One child each, a little turned."""
    count = len(parents.widths)
    turned = parents.directions + rng.normal(0, 0.22, count)
    return Branches(parents.ends, turned, 0.97 * parents.widths, parents.lengths * rng.uniform(0.7, 1.1, count))


def _forked(parents: Branches, rng: np.random.Generator) -> Branches:
    """Two children each: the wider one goes nearly straight on; their sections add up to the parent's."""
    count = len(parents.widths)
    away = rng.choice([-1, 1], count) * rng.uniform(0.5, 1.3, count)
    directions = parents.directions + np.stack([-0.3 * away, away]) + rng.normal(0, 0.1, (2, count))
    share = rng.uniform(0.6, 0.85, count)
    widths = np.sqrt(np.stack([share, 1 - share])) * parents.widths
    lengths = np.stack([0.9 * parents.lengths, 0.75 * parents.lengths]) * rng.uniform(0.8, 1.1, (2, count))
    return Branches(np.tile(parents.ends, (2, 1)), directions.ravel(), widths.ravel(), lengths.ravel())
