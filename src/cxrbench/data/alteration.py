"""Operations that alter one film: brightness, contrast, gamma, noise and erasing.

Each is a pure function of films (B, 1, H, W) in 0..1, and a builder that says how its numbers are drawn.
"""

import math

import numpy as np
import torch
from torch import Tensor

from cxrbench.config import augmentation as settings
from cxrbench.config.registry import imported
from cxrbench.data.operations import Draw, FilmOperation, draw_boxes, inside, is_chosen, per_film
from cxrbench.errors import ConfigError


def brightened(film: Tensor, factor: Tensor) -> Tensor:
    """Return grey values times a factor (B,), cut to 0..1."""
    return (film * per_film(factor)).clamp(0, 1)


def with_contrast(film: Tensor, factor: Tensor) -> Tensor:
    """Return films whose differences from their mean grey are a factor (B,) of what they were, cut to 0..1."""
    mean = film.mean(dim=(1, 2, 3), keepdim=True)
    return (per_film(factor) * film + (1 - per_film(factor)) * mean).clamp(0, 1)


def with_gamma(film: Tensor, exponent: Tensor) -> Tensor:
    """Return grey values to the power of an exponent (B,)."""
    return film.clamp(0, 1) ** per_film(exponent)


def with_noise(film: Tensor, noise: Tensor) -> Tensor:
    """Return films with noise (B, 1, H, W) added, cut to 0..1."""
    return (film + noise).clamp(0, 1)


def erased(film: Tensor, box: Tensor, grey: Tensor) -> Tensor:
    """Return films whose rectangle (B, 4) is filled with a grey value (B,); where that is NaN, with the film's mean."""
    mean = film.mean(dim=(1, 2, 3), keepdim=True)
    fill = torch.where(per_film(grey).isnan(), mean, per_film(grey))
    return torch.where(inside(box, film), fill, film)


def brightness(chosen: settings.Brightness) -> FilmOperation:
    """Build the operation on brightness."""
    return FilmOperation(_factors(chosen), brightened)


def contrast(chosen: settings.Contrast) -> FilmOperation:
    """Build the operation on contrast."""
    return FilmOperation(_factors(chosen), with_contrast)


def _factors(chosen: settings.Brightness | settings.Contrast) -> Draw:
    def draw(rng: np.random.Generator, *, count: int, size: int) -> dict[str, np.ndarray]:
        del size
        limit = chosen.strength * is_chosen(rng, chosen.probability, count)
        return {"factor": 1 + rng.uniform(-1, 1, count) * limit}

    return draw


def gamma(chosen: settings.Gamma) -> FilmOperation:
    """Build the operation on the curve of grey values."""

    def draw(rng: np.random.Generator, *, count: int, size: int) -> dict[str, np.ndarray]:
        del size
        limit = math.log1p(chosen.strength) * is_chosen(rng, chosen.probability, count)
        return {"exponent": np.exp(rng.uniform(-1, 1, count) * limit)}

    return FilmOperation(draw, with_gamma)


def noise(chosen: settings.Noise) -> FilmOperation:
    """Build the operation that adds noise."""

    def draw(rng: np.random.Generator, *, count: int, size: int) -> dict[str, np.ndarray]:
        spread = chosen.strength * is_chosen(rng, chosen.probability, count) * rng.random(count)  # (B,)
        normal = rng.standard_normal((count, 1, size, size), dtype=np.float32)
        return {"noise": normal * spread[:, None, None, None].astype(np.float32)}

    return FilmOperation(draw, with_noise)


def erasing(chosen: settings.Erasing) -> FilmOperation:
    """Build the operation that erases a rectangle."""

    def draw(rng: np.random.Generator, *, count: int, size: int) -> dict[str, np.ndarray]:
        area = rng.uniform(*chosen.area, count) * is_chosen(rng, chosen.probability, count)
        aspect = np.exp(rng.uniform(math.log(chosen.aspect[0]), math.log(chosen.aspect[1]), count))
        box = draw_boxes(rng, area=area, aspect=aspect, size=size)
        return {"box": box, "grey": np.full(count, math.nan if chosen.grey is None else chosen.grey)}

    return FilmOperation(draw, erased)


def own(chosen: settings.OwnOperation) -> FilmOperation:
    """Build the operation of a user's function.

    Raises:
        ConfigError: It cannot be imported; when films come, that it returns something else.
    """
    what = f"augmentation module {chosen.function}"
    function = imported(chosen.function, what=what)

    def draw(rng: np.random.Generator, *, count: int, size: int) -> dict[str, np.ndarray]:
        del size
        limit = chosen.strength * is_chosen(rng, chosen.probability, count)
        return {"number": rng.uniform(-1, 1, count) * limit}

    def apply(film: Tensor, number: Tensor) -> Tensor:
        found = function(film, number, **chosen.options)
        if not isinstance(found, Tensor) or found.shape != film.shape:
            got = tuple(found.shape) if isinstance(found, Tensor) else f"a {type(found).__name__}"
            raise ConfigError(f"{what}: returned {got}, expected films {tuple(film.shape)}")
        return torch.where(per_film(number) == 0, film, found.clamp(0, 1))

    return FilmOperation(draw, apply)
