"""A fit of a tiny network on random films in memory, and parts of a recipe as a user would write them."""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import softplus

from cxrbench.config import AS_FITS_THE_MACHINE, Approach, RunConfig
from cxrbench.data.delivery import Part
from cxrbench.models.classifier import build_classifier
from cxrbench.runs import WEIGHTS_FILE
from cxrbench.training.compute import resolve
from cxrbench.training.fit import STATE_FILE, Fit
from cxrbench.training.history import ignore_steps
from cxrbench.training.parts import RunParts
from cxrbench.training.trainer import train

FINDINGS = ("Mass", "Nodule")
IMAGES, BATCH, SIDE = 22, 8, 16


def tiny(*, channels, image_size):
    """Two convolutions with batch norm and dropout."""
    return nn.Sequential(
        nn.Conv2d(channels, 4, 4, stride=4), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.2), nn.Conv2d(4, 6, 2)
    )


def momentum(*, groups, beta):
    return torch.optim.SGD(groups, momentum=beta)


def staircase(*, epochs, batches, step=0.5):
    return lambda at: step ** (at // batches)


class Counting(nn.Module):
    """A loss with a state: the more batches it has seen, the more it counts."""

    seen: torch.Tensor

    def __init__(self, *, present, absent, by=0.1):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))
        self.by = by

    def forward(self, logits, targets):
        if self.training:
            self.seen += self.by
        return (1 + self.seen) * (softplus(logits) - targets * logits)


def rare_first(*, targets):
    return 1 + np.nansum(targets, axis=1)


def make_approach(recipe):
    """An approach with a recipe; its key ``operations``, if any, is the augmentation's."""
    recipe = dict(recipe)
    operations = recipe.pop("operations", ())
    return Approach.model_validate(
        {
            "name": "tiny",
            "summary": "a network for tests",
            "network": {"backbone": {"module": "small_fit:tiny"}, "weights": "none"},
            "input": {"image_size": SIDE, "store_size": SIDE, "channels": 1, "mean": [0.5], "std": [0.25]},
            "augmentation": {"operations": operations},
            "recipe": {"batch_size": BATCH} | recipe,
        }
    )


def make_part(count, *, seed=0):
    """Random films whose brightness shows the first finding; one label in seven is not stated."""
    rng = np.random.default_rng(seed)
    targets = (rng.random((count, len(FINDINGS))) < 0.4).astype(np.float32)
    pixels = rng.integers(0, 120, (count, SIDE, SIDE)) + 100 * targets[:, 0, None, None]
    targets[rng.random(targets.shape) < 1 / 7] = np.nan
    return Part(
        pixels=pixels.astype(np.uint8),
        rows=np.arange(count),
        targets=targets,
        features=np.zeros((count, 0), np.float32),
        image_size=SIDE,
    )


def make_fit(recipe, folder, *, seed=0):
    """A fit that goes on from what lies in the folder."""
    folder.mkdir(exist_ok=True)
    approach = make_approach(recipe)
    config = RunConfig(
        approach=approach,
        profile="paper",
        weights=None,
        split="drawn",
        split_digest="",
        store_digest="",
        table_digest="",
        seed=seed,
        findings=FINDINGS,
    )
    train_part, val_part = make_part(IMAGES), make_part(15, seed=1)
    fit = Fit(
        build_classifier(approach, findings=len(FINDINGS), seed=seed, weights=None),
        config,
        parts=RunParts(train=train_part, val=val_part, test=val_part),
        folder=folder,
        compute=resolve(AS_FITS_THE_MACHINE, approach),
    )
    fit.resume()
    return fit


def run_fit(recipe, folder, *, report=ignore_steps):
    """Train to the end, and return the fit."""
    fit = make_fit(recipe, folder)
    train(fit, report)
    return fit


def left_by(folder):
    """All that a fit left that must not depend on whether it was stopped: weights, tensors of the state, history."""
    state = torch.load(folder / STATE_FILE, weights_only=True)
    for row in state["fit"]["history"]:
        del row["seconds"]
    return (folder / WEIGHTS_FILE).read_bytes(), state


def same(one, other):
    """Whether two states are equal, bit for bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


if __name__ == "__main__":  # trains until it kills itself
    import json
    import os
    import signal

    def kill(step):
        if (step.epoch, step.batch) == (2, 2):
            os.kill(os.getpid(), signal.SIGKILL)

    run_fit(json.loads(sys.argv[1]), Path(sys.argv[2]), report=kill)
