"""The parts of a split as one approach sees them: films, or the cached features of a frozen backbone."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import polars as pl
import torch

from cxrbench.config import RunConfig
from cxrbench.data.delivery import Part
from cxrbench.data.features import FeatureScaling
from cxrbench.data.films import CachedFeatures, Films, choose_films
from cxrbench.data.store import Store
from cxrbench.errors import TrainingError
from cxrbench.models.classifier import Classifier
from cxrbench.runs import PARTS
from cxrbench.splits import Split
from cxrbench.training.cached_features import cached_features
from cxrbench.training.compute import Compute


@dataclass(frozen=True, kw_only=True)
class RunParts:
    """What a run learns from and is tested on.

    Attributes:
        train: Training part.
        val: Validation part.
        test: Test part.
        views: The training part once per augmented view whose features are cached; empty: augmented in each epoch.
    """

    train: Part
    val: Part
    test: Part
    views: tuple[Part, ...] = ()

    def training(self, epoch: int) -> Part:
        """What an epoch is trained on."""
        return self.views[epoch % len(self.views)] if self.views else self.train

    def made_by(self, films: Films) -> Self:
        """The same parts, their films made in this way."""
        train, val, test = (replace(part, films=films) for part in (self.train, self.val, self.test))
        return replace(self, train=train, val=val, test=test)


def make_parts(
    config: RunConfig, *, table: pl.DataFrame, store: Store, split: Split, compute: Compute | None = None
) -> tuple[RunParts, FeatureScaling]:
    """The split's three parts as the approach sees them, and how its features were scaled.

    Raises:
        TrainingError: There is nothing to train on, or to choose the epoch by.
    """
    rows = {name: split.rows(table, name) for name in PARTS}
    devices, shares = (1, 1) if compute is None else (compute.devices, compute.shares)
    if len(rows["train"]) < 2 * shares or len(rows["val"]) < devices:
        sizes = ", ".join(f"{name} {len(chosen)}" for name, chosen in rows.items())
        raise TrainingError(f"split {split.name!r} is too small to train on: images {sizes}")
    scaling = FeatureScaling.fit(config.approach.network.features, table[rows["train"]])
    pixels = store.pixels(config.approach.input.store_size)
    targets = table.select(config.findings).cast(pl.Float32).fill_null(float("nan")).to_numpy()  # (N, L)
    features = scaling.encode(table)  # (N, F)
    positions = store.rows(table["image_id"])
    parts = {
        name: Part(
            pixels=pixels,
            rows=positions[chosen],
            targets=np.ascontiguousarray(targets[chosen]),
            features=features[chosen],
            image_size=config.approach.input.image_size,
            evaluation_crop=config.approach.input.evaluation_crop,
        )
        for name, chosen in rows.items()
    }
    return RunParts(train=parts["train"], val=parts["val"], test=parts["test"]), scaling


def deliver_to(
    parts: RunParts, device: torch.device, *, config: RunConfig, store: Store, classifier: Classifier, gpu_share: float
) -> RunParts:
    """The same parts, their films made in the way that is fastest there, or their features cached."""
    if config.approach.cached_views is None:
        films = choose_films(parts.train.pixels, device, share=gpu_share)
        return parts.made_by(films)
    found = cached_features(config, store=store, classifier=classifier, device=device)
    centre, *others = [CachedFeatures(features, device) for features in found]
    views = tuple(replace(parts.train, films=view) for view in others)
    return replace(parts.made_by(centre), views=views)
