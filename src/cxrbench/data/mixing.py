"""Operations that join two films of a batch, and with them non-image features and labels: mixup and cutmix."""

import numpy as np
import torch
from torch import Tensor

from cxrbench.config import augmentation as settings
from cxrbench.data.operations import PARTNER, SHARE, FilmOperation, draw_boxes, inside, is_chosen, per_film


def blended(film: Tensor, other: Tensor, share: Tensor) -> Tensor:
    """Return the weighted mean of two films, their own share (B,)."""
    return per_film(share) * film + (1 - per_film(share)) * other


def with_box_of(film: Tensor, other: Tensor, box: Tensor, share: Tensor) -> Tensor:
    """Return films whose rectangle (B, 4) shows another film; the share of their own is what remains."""
    del share
    return torch.where(inside(box, film), other, film)


def mixup(chosen: settings.Mixup) -> FilmOperation:
    """Build the operation that takes the weighted mean of two films."""

    def draw(rng: np.random.Generator, *, count: int, size: int) -> dict[str, np.ndarray]:
        del size
        share = _shares(rng, chosen, count)
        return {PARTNER: rng.permutation(count), SHARE: share}

    return FilmOperation(draw, blended)


def cutmix(chosen: settings.Cutmix) -> FilmOperation:
    """Build the operation that puts a rectangle of another film in place; shaped as the film, and inside it."""

    def draw(rng: np.random.Generator, *, count: int, size: int) -> dict[str, np.ndarray]:
        area = 1 - _shares(rng, chosen, count)
        box = draw_boxes(rng, area=area, aspect=np.ones(count), size=size)
        taken = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]) / size**2  # as rounded to pixels
        return {PARTNER: rng.permutation(count), SHARE: 1 - taken, "box": box}

    return FilmOperation(draw, with_box_of)


def _shares(rng: np.random.Generator, chosen: settings.Mixup | settings.Cutmix, count: int) -> np.ndarray:
    """Draw each image's share of itself; 1 where it is not mixed."""
    is_mixed = is_chosen(rng, chosen.probability, count)
    drawn = rng.beta(chosen.alpha, chosen.alpha, count) if chosen.alpha else np.ones(count)
    return np.where(is_mixed, drawn, 1.0)
