"""Samplers: how often each image of the training part comes in an epoch.

A sampler gives every image a chance; which images an epoch holds is then drawn from seed and epoch
(``data.delivery.draw_epoch``), always as many as the part has.
"""

from typing import Any

import numpy as np

from cxrbench.config import SAMPLERS, Part
from cxrbench.config import losses as settings_of
from cxrbench.config.network import Module
from cxrbench.errors import ConfigError
from cxrbench.training.own import call_own


def image_chances(part: Part, targets: np.ndarray) -> np.ndarray | None:
    """Return the chance of each image of the training part (n,), its scale being free; None: every image once.

    Args:
        part: Which sampler.
        targets: (n, L): 1 present, 0 absent, NaN not stated.

    Raises:
        ConfigError: A sampler of the user's own gives no such chances.
    """
    chances = SAMPLERS.build(part, targets=targets)
    if chances is None:
        return None
    chances = np.asarray(chances, dtype=np.float64)
    if chances.shape != targets.shape[:1] or not np.isfinite(chances).all() or chances.min() < 0 or not chances.any():
        raise ConfigError(
            f"{SAMPLERS.title(part)}: gave chances of shape {chances.shape}, expected one finite number of at least 0 "
            f"for each of {len(targets)} images, not all 0"
        )
    return chances


def shuffled(settings: settings_of.Shuffled, *, targets: np.ndarray) -> None:
    """Return none: every image comes once."""
    del settings, targets


def balanced(settings: settings_of.Balanced, *, targets: np.ndarray) -> np.ndarray:
    """Return the chance of an image where a finding is drawn first, then one of its images."""
    kinds = _kinds(targets)
    return _softened(kinds @ (1 / kinds.sum(axis=0)), settings.strength)


def double_balanced(settings: settings_of.DoubleBalanced, *, targets: np.ndarray) -> np.ndarray:
    """Return the chance of an image where a finding is drawn first, then a combination that has it, then an image."""
    kinds = _kinds(targets)
    combinations, which, images = np.unique(kinds, axis=0, return_inverse=True, return_counts=True)
    # (S, K) @ (K,): findings drawn with an equal chance, of each one of the combinations that have it.
    chances = combinations @ (1 / combinations.sum(axis=0))
    return _softened((chances / images)[which.reshape(-1)], settings.strength)


def repeat_factor(settings: settings_of.RepeatFactor, *, targets: np.ndarray) -> np.ndarray:
    """Return how often an image comes by the rarest of its findings."""
    present = targets == 1
    stated = np.maximum((~np.isnan(targets)).sum(axis=0), 1)
    prevalence = np.maximum(present.sum(axis=0), 1) / stated
    factors = np.clip(np.sqrt(settings.below / prevalence), 1, settings.most)
    repeats: np.ndarray = np.where(present, factors, 1.0).max(axis=1)
    return repeats


def own(settings: Module, *, targets: np.ndarray) -> Any:
    """Call the user's function with the targets of the training part (n, L) and the options.

    Raises:
        ConfigError: It cannot be imported, or fails.
    """
    return call_own("sampler", settings, targets=targets)


def _kinds(targets: np.ndarray) -> np.ndarray:
    """(n, K) float64: the findings that occur, and as one more kind that an image has none."""
    present = targets == 1
    kinds = np.column_stack([present, ~present.any(axis=1)]).astype(np.float64)
    return kinds[:, kinds.any(axis=0)]


def _softened(chances: np.ndarray, strength: float) -> np.ndarray:
    """Return chances between equal ones and those given."""
    result: np.ndarray = chances**strength
    return result
