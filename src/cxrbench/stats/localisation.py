"""Does a heat map lie where the finding is: scores of one map against boxes.

A map is (H, W) in pixels of the film: higher means more evidence, NaN where it has nothing to say. A box is
``x, y, width, height`` in the same pixels, ``x, y`` its upper left corner. Only what is above zero is evidence for a
finding; a map without any points nowhere and scores zero everywhere.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

IOU_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
"""Those of the release's paper, doi:10.1109/CVPR.2017.369."""
PEAK_LEVEL = 0.5
"""The region that a map marks holds its maximum and what is connected to it at this share of the maximum or more."""
PEAK_LEVELS = (0.25, PEAK_LEVEL, 0.75)
"""Those that the intersection over union is measured at: no level suits a wide finding and a small one alike."""
FLAT = 1e-6
"""Values that differ by this share are equal: what rounding leaves of a flat top."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class MapScores:
    """One map against the boxes of one finding on one film.

    Attributes:
        is_hit: The maximum lies in a box (the pointing game, without tolerance around the box).
        ious: Intersection over union of the marked region's box and the box it fits best, at each of ``PEAK_LEVELS``.
        energy: Share of the evidence that lies in the boxes.
    """

    is_hit: bool
    ious: tuple[float, ...]
    energy: float


def score_map(heat: ArrayLike, boxes: ArrayLike) -> MapScores:
    """Score a map (H, W) against boxes (K, 4) of one finding.

    Raises:
        ValueError: No box, or shapes that do not fit.

    Source: pointing game doi:10.1007/s11263-017-1059-x; energy doi:10.1109/CVPRW50498.2020.00020.
    """
    evidence, known = _evidence(heat), np.asarray(boxes, dtype=np.float64)
    if known.ndim != 2 or known.shape[1:] != (4,) or not len(known):
        raise ValueError(f"needs boxes (K, 4) with K of at least 1; got {known.shape}")
    total = float(evidence.sum(dtype=np.float64))
    if total == 0:
        return MapScores(is_hit=False, ious=(0.0,) * len(PEAK_LEVELS), energy=0.0)
    inside = _inside(evidence.shape, known)
    return MapScores(
        is_hit=bool(inside[peak(evidence)]),
        ious=tuple(float(box_ious(peak_box(evidence, level=level), known).max()) for level in PEAK_LEVELS),
        energy=float(evidence[inside].sum(dtype=np.float64)) / total,
    )


def peak(heat: ArrayLike) -> tuple[int, int]:
    """Row and column of the maximum of a map (H, W); of equal ones, the nearest to the middle of the map.

    Coarse maps are flat beyond the centres of their outermost cells; so the centre of the cell counts, not the rim.
    """
    evidence = _evidence(heat)
    highest = np.argwhere(evidence >= evidence.max() * (1 - FLAT))
    middle = (np.array(evidence.shape) - 1) / 2
    row, column = highest[((highest - middle) ** 2).sum(axis=1).argmin()]
    return int(row), int(column)


def peak_box(heat: ArrayLike, *, level: float = PEAK_LEVEL) -> Numbers:
    """Box (4,) around the region that holds the maximum of a map (H, W).

    Raises:
        ValueError: The map has no evidence.
    """
    evidence = _evidence(heat)
    if not evidence.any():
        raise ValueError("a map without a value above 0 marks no region")
    regions, _ = ndimage.label(evidence >= level * evidence.max())  # type: ignore[attr-defined]
    rows, columns = ndimage.find_objects(regions)[regions[peak(evidence)] - 1]  # type: ignore[attr-defined]
    return np.array([columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start], np.float64)


def box_ious(box: ArrayLike, boxes: ArrayLike) -> Numbers:
    """Intersection over union (K,) of one box (4,) with each of ``boxes`` (K, 4)."""
    one, others = np.asarray(box, np.float64), np.asarray(boxes, np.float64)
    low = np.maximum(one[:2], others[:, :2])
    high = np.minimum(one[:2] + one[2:], others[:, :2] + others[:, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    return np.asarray(shared / (np.prod(one[2:]) + np.prod(others[:, 2:], axis=1) - shared))


def _evidence(heat: ArrayLike) -> Numbers:
    """What speaks for the finding (H, W): negative and unknown pixels are zero."""
    values = np.asarray(heat)
    if values.ndim != 2:
        raise ValueError(f"needs a map (H, W); got {values.shape}")
    return np.asarray(np.fmax(values, 0))  # NaN becomes 0 too


def _inside(shape: tuple[int, ...], boxes: Numbers) -> NDArray[np.bool_]:
    """Pixels (H, W) whose centre lies in one of the boxes."""
    y, x = (np.arange(side) + 0.5 for side in shape)
    inside = np.zeros(shape, bool)
    for left, top, width, height in boxes:
        rows, columns = (top <= y) & (y < top + height), (left <= x) & (x < left + width)
        inside |= rows[:, None] & columns
    return inside
