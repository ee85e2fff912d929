"""A run on random films, for what is measured of training."""

import tempfile
from pathlib import Path

import numpy as np
import torch

from cxrbench.config import Approach, RunConfig, load_vocabulary
from cxrbench.data.delivery import Part
from cxrbench.data.films import choose_films
from cxrbench.models.classifier import build_classifier
from cxrbench.training.compute import Compute
from cxrbench.training.fit import Fit
from cxrbench.training.history import ReportStep
from cxrbench.training.parts import RunParts
from cxrbench.training.trainer import train

DRAWN = 4096
"""Films of the store, at most."""


def run_on_drawn_films(approach: Approach, *, profile: str, compute: Compute, steps: int, report: ReportStep) -> None:
    """Train as ``cxrbench run`` does, batches from a store; an epoch has so many steps, and ``report`` ends it."""
    part = _drawn_part(approach, approach.recipe.batch_size * steps, compute.device_of(0))
    config = RunConfig(
        approach=approach,
        profile=profile,
        weights=None,
        split="drawn",
        split_digest="",
        store_digest="",
        table_digest="",
        seed=0,
        findings=load_vocabulary().names,
    )
    network = build_classifier(approach, findings=len(load_vocabulary().names), seed=0, weights=None)
    parts = RunParts(train=part, val=part, test=part)
    with tempfile.TemporaryDirectory() as scratch:
        train(Fit(network, config, parts=parts, folder=Path(scratch), compute=compute), report)


def _drawn_part(approach: Approach, images: int, device: torch.device) -> Part:
    """Random films in a store of their own, some of them several times."""
    source, rng = approach.input.store_size, np.random.default_rng(0)
    pixels = rng.integers(0, 256, (min(images, DRAWN), source, source), dtype=np.uint8)
    return Part(
        pixels=pixels,
        rows=np.arange(images) % len(pixels),
        targets=(rng.random((images, len(load_vocabulary().names))) < 0.2).astype(np.float32),
        features=np.zeros((images, 0), np.float32),
        image_size=approach.input.image_size,
        films=choose_films(pixels, device),
    )
