"""Where a sign is on the film, measured from what it changed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxrbench.data.phantom.shapes import Map

BOX_LEVEL = 0.3
"""A box holds what changes by this share of the largest change."""
LEAST_CONTRAST = 0.01
"""Optical depth; what changes less (because it lies beside the film, say) is no lesion."""


@dataclass(frozen=True)
class Lesion:
    """One sign on one film; box and diameter in fractions of the image's side."""

    finding: str
    x: float
    y: float
    width: float
    height: float
    diameter: float
    """Of a disc with the same area."""
    contrast: float
    """Largest change of the optical depth."""


def measure(finding: str, change: Map) -> list[Lesion]:
    """The lesion that changed the optical depth so (H, W); none where nothing is to be seen."""
    size = np.abs(change)
    contrast = float(size.max())
    if contrast < LEAST_CONTRAST:
        return []
    is_changed = size > BOX_LEVEL * contrast
    left, width = _extent(np.any(is_changed, axis=0))
    top, height = _extent(np.any(is_changed, axis=1))
    diameter = float(2 * np.sqrt(is_changed.mean() / np.pi))
    return [Lesion(finding, left, top, width, height, diameter, contrast)]


def _extent(is_changed: NDArray[np.bool_]) -> tuple[float, float]:
    """Start and length of what changed along one side of the image, as fractions of it."""
    at = np.flatnonzero(is_changed)
    return int(at[0]) / len(is_changed), (int(at[-1]) + 1 - int(at[0])) / len(is_changed)
