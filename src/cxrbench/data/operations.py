"""Operations on the films of a training batch: numbers that NumPy draws, and torch functions that use them.

An operation's numbers depend on seed, epoch, batch and its place in the list, never on a device or on how a batch is
shared. So films differ between CPU and GPU by rounding alone. Films are grey values in 0..1; the network normalises.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from cxrbench.config import AUGMENTATIONS, Augmentation

PARTNER = "partner"
"""Number of an operation that joins two films: place (B,) in the batch of each image's other film."""
SHARE = "share"
"""Beside it, the share (B,) of an image's own film, features and labels, 0..1; at 1 all stay as they are."""


class Draw(Protocol):
    """Draws an operation's numbers for a whole batch."""

    def __call__(self, rng: np.random.Generator, *, count: int, size: int) -> dict[str, np.ndarray]:
        """Return arrays by name, their first axis the ``count`` images of the batch, films of side ``size``."""
        ...


@dataclass(frozen=True)
class FilmOperation:
    """What a builder in ``AUGMENTATIONS`` returns.

    Attributes:
        draw: Draws the numbers; with ``partner`` and ``share`` among them, films and labels are mixed.
        apply: Maps films (B, 1, H, W) in 0..1, and the numbers as tensors under their names, to films alike. In place
            of ``partner`` it gets ``other``: those films (B, 1, H, W).
    """

    draw: Draw
    apply: Callable[..., Tensor]


def build_operations(augmentation: Augmentation) -> tuple[FilmOperation, ...]:
    """Return the operations that the settings name, in order."""
    return tuple(AUGMENTATIONS.build(part) for part in augmentation.operations)


@dataclass(frozen=True)
class DrawnOperations:
    """The operations of one batch, their numbers drawn.

    Attributes:
        operations: In order.
        numbers: Of each operation, for all images of the batch.
    """

    operations: tuple[FilmOperation, ...]
    numbers: tuple[Mapping[str, np.ndarray], ...]

    def mix(self, values: np.ndarray) -> np.ndarray:
        """Return targets (B, L) or features (B, F) of the whole batch as the mixed films have them.

        Where an image is mixed, what is not stated of either is not stated.
        """
        for numbers in self.numbers:
            if PARTNER in numbers:
                share = numbers[SHARE][:, None].astype(values.dtype)
                mixed = share * values + (1 - share) * values[numbers[PARTNER]]
                values = np.where(share < 1, mixed, values)
        return values

    def needed(self, mine: np.ndarray) -> np.ndarray:
        """Return the places in the batch, ascending, of the films that those of ``mine`` are made of."""
        return self._stages(mine)[0]

    def apply(self, film: Tensor, mine: np.ndarray) -> Tensor:
        """Return the films of ``mine``, ascending places in the batch, given the ``needed`` ones."""
        stages = self._stages(mine)
        for operation, numbers, (before, after) in zip(self.operations, self.numbers, pairwise(stages), strict=True):
            ready = {name: _beside(film, values[after]) for name, values in numbers.items() if name != PARTNER}
            if PARTNER in numbers:
                ready["other"] = _chosen(film, before, numbers[PARTNER][after])
            film = operation.apply(_chosen(film, before, after), **ready)
        return film

    def _stages(self, mine: np.ndarray) -> list[np.ndarray]:
        """Places of the films before each operation, and after the last."""
        stages = [mine]
        for numbers in reversed(self.numbers):
            after = stages[0]
            joined = np.union1d(after, numbers[PARTNER][after]) if PARTNER in numbers else after
            stages.insert(0, joined)
        return stages


def draw_operations(
    operations: Sequence[FilmOperation], seeds: Sequence[int], *, count: int, size: int
) -> DrawnOperations:
    """Draw the numbers of a batch.

    Args:
        operations: In order; each draws from a generator of its own.
        seeds: Numbers that name the batch: seed, epoch and the batch's number.
        count: Images B in the batch.
        size: Side of the films, pixels.
    """
    generators = [np.random.default_rng([*seeds, place]) for place in range(1, len(operations) + 1)]
    numbers = [each.draw(rng, count=count, size=size) for each, rng in zip(operations, generators, strict=True)]
    return DrawnOperations(tuple(operations), tuple(numbers))


def is_chosen(rng: np.random.Generator, probability: float, count: int) -> np.ndarray:
    """Draw which of the images (count,) get an operation."""
    return rng.random(count) < probability


def draw_boxes(rng: np.random.Generator, *, area: np.ndarray, aspect: np.ndarray, size: int) -> np.ndarray:
    """Draw rectangles inside films.

    Args:
        rng: Source of randomness.
        area: (B,) share of the film that each takes, before its sides are rounded to pixels and cut to the film's.
        aspect: (B,) width to height.
        size: Side of the films, pixels.

    Returns:
        (B, 4) int64: top, left, and the row and column behind the last.
    """
    height = np.minimum(np.rint(np.sqrt(area / aspect) * size), size)
    width = np.minimum(np.rint(np.sqrt(area * aspect) * size), size)
    top = np.floor(rng.random(len(area)) * (size - height + 1))
    left = np.floor(rng.random(len(area)) * (size - width + 1))
    return np.stack([top, left, top + height, left + width], axis=1).astype(np.int64)


def inside(box: Tensor, film: Tensor) -> Tensor:
    """Return the pixels (B, 1, H, W) of films that lie in their rectangles (B, 4)."""
    rows = torch.arange(film.shape[2], device=film.device)
    columns = torch.arange(film.shape[3], device=film.device)
    top, left, bottom, right = box[:, :, None].unbind(dim=1)  # (B, 1) each
    is_row, is_column = (top <= rows) & (rows < bottom), (left <= columns) & (columns < right)
    return (is_row[:, :, None] & is_column[:, None, :])[:, None]


def per_film(values: Tensor) -> Tensor:
    """Return numbers (B,) in a shape that films (B, 1, H, W) are multiplied by."""
    return values[:, None, None, None]


def _chosen(film: Tensor, places: np.ndarray, wanted: np.ndarray) -> Tensor:
    """Return the films at some of the ascending ``places``; themselves where all are wanted in order."""
    if np.array_equal(places, wanted):
        return film
    return film.index_select(0, _beside(film, np.searchsorted(places, wanted)))


def _beside(film: Tensor, values: np.ndarray) -> Tensor:
    """Return numbers on the film's device, in single precision; a GPU is not waited for."""
    ready = torch.from_numpy(values.astype(np.float32) if values.dtype == np.float64 else values)
    return ready.pin_memory().to(film.device, non_blocking=True) if film.device.type == "cuda" else ready
