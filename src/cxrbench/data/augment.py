"""Batches -> augmented batches: random area, aspect, rotation and flip as one affine map per image."""

import math

import cv2
import numpy as np

from cxrbench.config import Augmentation, Views
from cxrbench.data.geometry import centre_affine, crop_side

TRIES = 10


def draw_affines(
    rng: np.random.Generator, augmentation: Augmentation, *, count: int, source: int, size: int
) -> np.ndarray:
    """Random maps from output to source pixels.

    Args:
        rng: Source of randomness.
        augmentation: Ranges of area, aspect and rotation, and whether to flip.
        count: Number of maps B.
        source: Side of the square source images, pixels.
        size: Side of the square output, pixels.

    Returns:
        (B, 2, 3) float64: ``[x, y]`` of the source = A @ ``[x, y, 1]`` of the output, pixel centres at whole numbers.
    """
    width, height = _crops(rng, augmentation, count=count)  # shares of the source's side
    left, top = rng.uniform(size=count) * (1 - width), rng.uniform(size=count) * (1 - height)
    angle = np.deg2rad(rng.uniform(-augmentation.rotation_degrees, augmentation.rotation_degrees, count))
    mirrored = np.where(augmentation.flip & (rng.uniform(size=count) < 0.5), -1.0, 1.0)
    return _affines(
        centre=np.stack([left + width / 2, top + height / 2], axis=1) * source,
        scale=np.stack([mirrored * width, height], axis=1) * source / size,
        angle=angle,
        size=size,
    )


def view_affines(views: Views, *, source: int, size: int, crop: float | None = None) -> np.ndarray:
    """Return the maps (V, 2, 3) of the views that a prediction is the mean of; the first is the centre crop.

    Args:
        views: The centre alone, or the four corners too, and the mirror images of all.
        source: Side of the square source images, pixels.
        size: Side of the square output, pixels.
        crop: Side of each crop as a share of the source's; None: ``size`` pixels at the source's own resolution.
    """
    centre = centre_affine(source=source, size=size, crop=crop)
    reach = (
        source - crop_side(source=source, size=size, crop=crop)
    ) / 2  # from the centre to where a corner's crop lies
    corners = [(x, y) for y in (-reach, reach) for x in (-reach, reach)]
    shifts = np.zeros((views.crops, 2, 3))
    shifts[1:, :, 2] = np.array(corners)[: views.crops - 1]
    moved = centre + shifts
    mirror = np.array([[-1.0, 0, size - 1], [0, 1, 0], [0, 0, 1]])
    return np.concatenate([moved, moved @ mirror]) if views.flip else moved


def _crops(rng: np.random.Generator, augmentation: Augmentation, *, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Width and height (B,) of crops inside the unit square; what does not fit is drawn again, then clipped."""
    width, height = np.full(count, 2.0), np.full(count, 2.0)
    for _ in range(TRIES):
        area = rng.uniform(*augmentation.area, count)
        aspect = np.exp(rng.uniform(math.log(augmentation.aspect[0]), math.log(augmentation.aspect[1]), count))
        is_open = (width > 1) | (height > 1)
        width = np.where(is_open, np.sqrt(area * aspect), width)
        height = np.where(is_open, np.sqrt(area / aspect), height)
    return np.minimum(width, 1), np.minimum(height, 1)


def _affines(*, centre: np.ndarray, scale: np.ndarray, angle: np.ndarray, size: int) -> np.ndarray:
    """Maps that turn and scale the output about its centre onto ``centre``; edges of pixels lie at halves."""
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.stack([cos * scale[:, 0], -sin * scale[:, 1], sin * scale[:, 0], cos * scale[:, 1]], axis=1)
    linear = linear.reshape(-1, 2, 2)
    middle = np.full(2, (size - 1) / 2)
    offset = (centre - 0.5) - linear @ middle
    return np.concatenate([linear, offset[:, :, None]], axis=2)


def warp(images: np.ndarray, affines: np.ndarray, *, size: int, rows: np.ndarray | None = None) -> np.ndarray:
    """Sample images bilinearly on the CPU; what lies outside is black.

    Args:
        images: (N, S, S) uint8, may be memory-mapped.
        affines: (B, 2, 3) or (1, 2, 3) maps from output to source pixels.
        size: Side of the output, pixels.
        rows: (B,) which of the images; None: all, B = N.

    Returns:
        (B, 1, size, size) float32, grey values in 0..1.
    """
    images = np.asarray(images)  # a memory map's own indexing is slower
    rows = np.arange(len(images)) if rows is None else rows
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    maps = np.broadcast_to(affines, (len(rows), 2, 3))
    warped = np.empty((len(rows), 1, size, size), np.uint8)
    for position in np.argsort(rows):  # the disk is read forwards
        cv2.warpAffine(images[rows[position]], maps[position], (size, size), dst=warped[position, 0], flags=flags)
    films: np.ndarray = np.multiply(warped, np.float32(1 / 255), dtype=np.float32)
    return films
