"""Backbone and non-image features to logits: one class for every approach of the paper."""

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from cxrbench.config import Approach
from cxrbench.models.backbones import build_backbone
from cxrbench.models.weights import load_weights


class Classifier(nn.Module):
    """Grey film and non-image features -> one logit per finding.

    Normalisation is part of the network, so whoever has the weights has the right input range.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, approach: Approach, *, findings: int) -> None:
        super().__init__()
        self.backbone = build_backbone(approach.backbone, channels=approach.input.channels)
        self.head = nn.Linear(self.backbone.features + len(approach.features), findings)
        self.has_frozen_backbone = approach.backbone.trained == "head"
        self.register_buffer("mean", torch.tensor(approach.input.mean).reshape(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(approach.input.std).reshape(1, -1, 1, 1), persistent=False)
        if self.has_frozen_backbone:
            self.backbone.requires_grad_(requires_grad=False)

    def forward(self, image: Tensor, features: Tensor) -> Tensor:
        """Map films (B, 1, H, W), grey values in 0..1, and features (B, F) to logits (B, L).

        Image-only approaches take F = 0.
        """
        return self.classify(self.pool(image), features)

    def pool(self, image: Tensor) -> Tensor:
        """Pooled features (B, C) of films (B, 1, H, W): what a frozen backbone gives once and for all."""
        return self.maps(image).mean(dim=(2, 3))

    def classify(self, pooled: Tensor, features: Tensor) -> Tensor:
        """Logits (B, L) of pooled features (B, C) and non-image features (B, F)."""
        logits: Tensor = self.head(torch.cat([pooled, features], dim=1))
        return logits

    def maps(self, image: Tensor) -> Tensor:
        """Feature maps (B, C, h, w) before pooling, of films (B, 1, H, W) with grey values in 0..1."""
        grey = image.expand(-1, self.mean.shape[1], -1, -1)  # repeated where the backbone wants three channels
        maps: Tensor = self.backbone((grey - self.mean) / self.std)
        return maps

    def train(self, mode: bool = True) -> Self:
        """Switch to training; a frozen backbone keeps its batch-norm statistics."""
        super().train(mode)
        if self.has_frozen_backbone:
            self.backbone.eval()
        return self


def build_classifier(approach: Approach, *, findings: int, seed: int, weights: dict[str, Tensor] | None) -> Classifier:
    """The approach's network, its random parts drawn from ``seed``.

    Args:
        approach: Resolved by a profile.
        findings: Number of outputs L.
        seed: Same seed, same network.
        weights: Three-channel backbone weights; needed exactly when the approach starts from ImageNet.
    """
    if (weights is not None) != (approach.backbone.start == "imagenet"):
        need = "needs" if weights is None else "takes no"
        raise ValueError(f"approach {approach.name!r} {need} pre-trained weights")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = Classifier(approach, findings=findings)
    if weights is not None:
        load_weights(classifier.backbone, weights)
    # Channels beside each other in memory: convolutions are faster so, on CPUs and GPUs alike.
    return classifier.to(memory_format=torch.channels_last)


def masked_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean binary cross-entropy over the labels that are stated.

    Args:
        logits: (B, L).
        targets: (B, L) of 1 present, 0 absent, NaN not stated.
    """
    is_stated = ~targets.isnan()
    losses = functional.binary_cross_entropy_with_logits(logits, targets.nan_to_num(), reduction="none")
    return (losses * is_stated).sum() / is_stated.sum().clamp(min=1)
