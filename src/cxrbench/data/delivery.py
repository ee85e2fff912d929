"""Whole batches from the memory-mapped store; what epoch and batch hold is a pure function of the seed."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cxrbench.config import Augmentation
from cxrbench.data.augment import centre_affine, draw_affines, warp


@dataclass(frozen=True, kw_only=True)
class Part:
    """The images of one part of a split.

    Attributes:
        pixels: (N, S, S) uint8, the whole store, memory-mapped.
        rows: (n,) rows of ``pixels`` that belong to the part.
        targets: (n, L) float32: 1 present, 0 absent, NaN not stated.
        features: (n, F) float32 non-image features, scaled.
        image_size: Side of the network's input, pixels.
    """

    pixels: np.ndarray
    rows: np.ndarray
    targets: np.ndarray
    features: np.ndarray
    image_size: int

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, chosen: np.ndarray, affines: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Films (B, 1, H, W) in 0..1, features (B, F) and targets (B, L) of the chosen images."""
        order = np.argsort(self.rows[chosen])  # the disk is read forwards
        source = np.empty((len(chosen), *self.pixels.shape[1:]), np.uint8)
        source[order] = self.pixels[self.rows[chosen][order]]
        film = warp(source, affines, size=self.image_size)
        return torch.from_numpy(film), torch.from_numpy(self.features[chosen]), torch.from_numpy(self.targets[chosen])


@dataclass(frozen=True, kw_only=True)
class TrainingBatches:
    """One epoch of shuffled, augmented batches.

    The order and the augmentation depend on seed, epoch and batch alone, so a resumed run sees
    what an undisturbed one does. A last batch too small for batch statistics is left out.
    """

    part: Part
    augmentation: Augmentation
    batch_size: int
    seed: int
    epoch: int

    def __len__(self) -> int:
        whole, rest = divmod(len(self.part), self.batch_size)
        return whole + (rest > 1 or whole == 0)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.part))
        for number in range(len(self)):
            chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
            rng = np.random.default_rng([self.seed, self.epoch, number + 1])  # 0 at the end would be the order's
            source, size = self.part.pixels.shape[1], self.part.image_size
            affines = draw_affines(rng, self.augmentation, count=len(chosen), source=source, size=size)
            yield self.part.batch(chosen, affines)


@dataclass(frozen=True, kw_only=True)
class EvaluationBatches:
    """Every image once, in order, its centre crop."""

    part: Part
    batch_size: int

    def __len__(self) -> int:
        return math.ceil(len(self.part) / self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        affines = centre_affine(source=self.part.pixels.shape[1], size=self.part.image_size)
        for start in range(0, len(self.part), self.batch_size):
            yield self.part.batch(np.arange(start, min(start + self.batch_size, len(self.part))), affines)
