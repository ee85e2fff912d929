"""Whole batches from the memory-mapped store; what epoch and batch hold is a pure function of the seed.

Batches can be shared: by several devices, by parts that one device works through one after the other, or both. The
shares of a batch hold the images, augmented alike, that the batch would hold alone, and their weights say what each
counts, so that the gradient is that of the batch.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from cxrbench.config import Augmentation
from cxrbench.data.augment import draw_affines
from cxrbench.data.films import Films, HostFilms, ahead
from cxrbench.data.geometry import centre_affine
from cxrbench.data.operations import DrawnOperations, build_operations, draw_operations


@dataclass(frozen=True, kw_only=True)
class Part:
    """The images of one part of a split.

    Attributes:
        pixels: (N, S, S) uint8, the whole store, memory-mapped.
        rows: (n,) rows of ``pixels`` that belong to the part.
        targets: (n, L) float32: 1 present, 0 absent, NaN not stated.
        features: (n, F) float32 non-image features, scaled.
        image_size: Side of the network's input, pixels.
        evaluation_crop: Side of the centre crop as a share of the film's; None: image_size pixels.
        films: How films are made of pixels; None: here, by OpenCV.
    """

    pixels: np.ndarray
    rows: np.ndarray
    targets: np.ndarray
    features: np.ndarray
    image_size: int
    evaluation_crop: float | None = None
    films: Films | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, chosen: np.ndarray, affines: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Films (B, 1, H, W) in 0..1, features (B, F) and targets (B, L) of the chosen images."""
        return self.fetch(chosen, affines).finish()

    def fetch(self, chosen: np.ndarray, affines: np.ndarray) -> "Fetched":
        """The chosen images, as far as a thread in the background can make them ready."""
        films = self.films or HostFilms(self.pixels)
        return Fetched(
            films=films,
            fetched=films.fetch(self.rows[chosen], affines, size=self.image_size),
            affines=affines,
            size=self.image_size,
            features=torch.from_numpy(self.features[chosen]),
            targets=torch.from_numpy(self.targets[chosen]),
        )


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A batch that only the training device has to finish.

    Attributes:
        films: How films are made.
        fetched: What they are made of.
        affines: Maps from the films' pixels to those of the store.
        size: Side of the films, pixels.
        features: (B, F) non-image features.
        targets: (B, L) labels.
        change: What is done to the films; None: nothing.
    """

    films: Films
    fetched: Tensor
    affines: np.ndarray
    size: int
    features: Tensor
    targets: Tensor
    change: Callable[[Tensor], Tensor] | None = None

    def finish(self) -> tuple[Tensor, Tensor, Tensor]:
        """Films (B, 1, H, W) in 0..1, features (B, F) and targets (B, L)."""
        film = self.films.finish(self.fetched, self.affines, size=self.size)
        film = film if self.change is None else self.change(film)
        return film, _beside(film, self.features), _beside(film, self.targets)


def _beside(film: Tensor, values: Tensor) -> Tensor:
    """On the film's device; a GPU is not waited for."""
    if film.device.type != "cuda":
        return values
    return values.pin_memory().to(film.device, non_blocking=True)


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """Whose share of each batch.

    Attributes:
        devices: Processes that share each batch.
        rank: Which of them this is.
        accumulate: Parts that each works through one after the other.
    """

    devices: int = 1
    rank: int = 0
    accumulate: int = 1

    @property
    def shares(self) -> int:
        """Parts of each batch."""
        return self.devices * self.accumulate

    def mine(self, chosen: np.ndarray) -> list[np.ndarray]:
        """This process's parts of a batch's positions 0..B-1."""
        return np.array_split(chosen, self.shares)[self.rank :: self.devices]


ALONE = Sharing()


def draw_epoch(rng: np.random.Generator, count: int, chances: np.ndarray | None = None) -> np.ndarray:
    """Return the positions (n,) of an epoch's images, in random order.

    Args:
        rng: Of seed and epoch.
        count: Images of the part, and of the epoch.
        chances: (n,) how much more often one image comes than another; None: every image once. How often an image
            comes differs from n times its share of the chances by less than one.
    """
    order = rng.permutation(count)
    if chances is None:
        return order
    # Evenly spaced marks along the images laid end to end, each as long as its chance.
    ends = np.cumsum(chances[order])
    marks = np.floor(np.concatenate([[0.0], ends * (count / ends[-1])]) + rng.random())
    marks[-1] = marks[0] + count
    repeats = np.diff(marks).astype(np.intp)
    return rng.permutation(np.repeat(order, repeats))


@dataclass(frozen=True, kw_only=True)
class TrainingBatches:
    """One epoch of shuffled, augmented batches: film, features, targets, and the weight of the share's mean loss.

    The order and the augmentation depend on seed, epoch and batch alone, so a resumed run sees
    what an undisturbed one does. A last batch too small for batch statistics is left out.

    Attributes:
        chances: (n,) how much more often one image comes than another; None: every image once.
    """

    part: Part
    augmentation: Augmentation
    batch_size: int
    seed: int
    epoch: int
    sharing: Sharing = ALONE
    chances: np.ndarray | None = None

    def __len__(self) -> int:
        whole, rest = divmod(len(self.part), self.batch_size)
        return (whole + (rest >= 2 * self.sharing.shares or whole == 0)) * self.sharing.accumulate

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor, float]]:
        order = draw_epoch(np.random.default_rng([self.seed, self.epoch]), len(self.part), self.chances)
        numbers = range(len(self) // self.sharing.accumulate)
        for shares in ahead(partial(self._fetch, order, number) for number in numbers):
            for fetched, weight in shares:
                yield *fetched.finish(), weight

    def _fetch(self, order: np.ndarray, number: int) -> list[tuple[Fetched, float]]:
        """This process's shares of one batch."""
        chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
        rng = np.random.default_rng([self.seed, self.epoch, number + 1])  # 0 at the end would be the order's
        source, size = self.part.pixels.shape[1], self.part.image_size
        affines = draw_affines(rng, self.augmentation, count=len(chosen), source=source, size=size)
        drawn = draw_operations(
            build_operations(self.augmentation), [self.seed, self.epoch, number + 1], count=len(chosen), size=size
        )
        targets, features = drawn.mix(self.part.targets[chosen]), drawn.mix(self.part.features[chosen])
        shares = self.sharing.mine(np.arange(len(chosen)))
        films = [self._films(chosen, affines, drawn, mine) for mine in shares]
        return [
            (
                replace(made, features=torch.from_numpy(features[mine]), targets=torch.from_numpy(targets[mine])),
                self._weight(targets, mine),
            )
            for made, mine in zip(films, shares, strict=True)
        ]

    def _films(self, chosen: np.ndarray, affines: np.ndarray, drawn: DrawnOperations, mine: np.ndarray) -> Fetched:
        """What the films of a share are made of, and what is done to them."""
        needed = drawn.needed(mine)
        change = partial(drawn.apply, mine=mine) if drawn.operations else None
        return replace(self.part.fetch(chosen[needed], affines[needed]), change=change)

    def _weight(self, targets: np.ndarray, mine: np.ndarray) -> float:
        """What the mean loss of a share counts, for the mean over the shares to be that of the batch."""
        if self.sharing.shares == 1:
            return 1.0
        is_stated = ~np.isnan(targets)
        return self.sharing.shares * float(is_stated[mine].sum() / max(is_stated.sum(), 1))


@dataclass(frozen=True, kw_only=True)
class EvaluationBatches:
    """Every image once, in order; several devices take a piece each.

    Attributes:
        part: The images.
        batch_size: Images at a time.
        sharing: Who takes which piece.
        affine: (1, 2, 3) map of the view that is shown; None: the centre crop.
    """

    part: Part
    batch_size: int
    sharing: Sharing = ALONE
    affine: np.ndarray | None = None

    def __len__(self) -> int:
        return math.ceil(len(self._mine()) / self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        affines = self.affine
        if affines is None:
            affines = centre_affine(
                source=self.part.pixels.shape[1], size=self.part.image_size, crop=self.part.evaluation_crop
            )
        mine = self._mine()
        starts = range(0, len(mine), self.batch_size)
        batches = (partial(self.part.fetch, mine[start : start + self.batch_size], affines) for start in starts)
        for fetched in ahead(batches):
            yield fetched.finish()

    def _mine(self) -> np.ndarray:
        return np.array_split(np.arange(len(self.part)), self.sharing.devices)[self.sharing.rank]
