"""An operation on films as a user writes one, for the tests."""

import torch


def tilted(film, number, *, twice=False):
    """Grey values that rise from left to right by a number (B,) in all."""
    ramp = torch.linspace(-0.5, 0.5, film.shape[3], device=film.device)
    return film + number[:, None, None, None] * ramp * (1 + twice)


def halved(film, number):
    """Not what is expected of an operation."""
    return film[..., ::2]
