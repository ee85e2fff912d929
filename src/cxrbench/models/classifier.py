"""Backbone, head and non-image features to logits: one class for every approach."""

from typing import Literal, Self

import torch
from timm.layers.norm_act import convert_sync_batchnorm
from torch import Tensor, nn

from cxrbench.config import Approach
from cxrbench.models.backbone import Backbone, build_backbone, unreached
from cxrbench.models.heads import Head, build_head
from cxrbench.models.weights.fitting import load_weights

BACKBONE = "backbone."
"""Beginning of the names of the backbone's parameters."""


class Classifier(nn.Module):
    """Grey film and non-image features -> one logit per finding.

    Normalisation is part of the network, so whoever has the weights has the right input range.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, approach: Approach, *, findings: int) -> None:
        super().__init__()
        network, film = approach.network, approach.input
        mean, std = film.normalisation
        self.backbone: Backbone = build_backbone(network.backbone, channels=film.channels, image_size=film.image_size)
        self.head: Head = build_head(
            network.head,
            channels=self.backbone.channels,
            pooled=self.backbone.pooled,
            features=len(network.features),
            findings=findings,
        )
        self.findings = findings
        self.register_buffer("mean", torch.tensor(mean).reshape(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).reshape(1, -1, 1, 1), persistent=False)
        if self.head.takes == "maps" and not approach.has_frozen_backbone:
            # Several devices wait for the gradient of every parameter that is trained.
            for name in unreached(self.backbone, channels=film.channels, image_size=film.image_size):
                self.backbone.get_parameter(name).requires_grad_(False)
        self._trainable = [value for value in self.backbone.parameters() if value.requires_grad]
        self.train_parts("head" if approach.has_frozen_backbone else "all")

    def forward(self, image: Tensor, features: Tensor) -> Tensor:
        """Map films (B, 1, H, W), grey values in 0..1, and features (B, F) to logits (B, L).

        Image-only approaches take F = 0.
        """
        return self.classify(self.image_features(image), features)

    def image_features(self, image: Tensor) -> Tensor:
        """Return what the head takes of films (B, 1, H, W): pooled features (B, pooled), or maps (B, C, h, w).

        A frozen backbone gives it once and for all.
        """
        encoded = self.encode(image)
        return self.backbone.pool(encoded) if self.head.takes == "pooled" else self.backbone.maps(encoded)

    def classify(self, image_features: Tensor, features: Tensor) -> Tensor:
        """Return logits (B, L) of image features and non-image features (B, F)."""
        logits: Tensor = self.head(image_features, features)
        return logits

    def encode(self, image: Tensor) -> Tensor:
        """Return the backbone's own features of films (B, 1, H, W) with grey values in 0..1."""
        grey = image.expand(-1, self.mean.shape[1], -1, -1)  # repeated where the backbone wants three channels
        encoded: Tensor = self.backbone((grey - self.mean) / self.std)
        return encoded

    def maps(self, image: Tensor) -> Tensor:
        """Return feature maps (B, C, h, w) before pooling, of films (B, 1, H, W) with grey values in 0..1."""
        return self.backbone.maps(self.encode(image))

    def train_parts(self, parts: Literal["all", "head"]) -> None:
        """Choose what is trained from now on; a backbone that is not keeps its batch-norm statistics."""
        self.has_frozen_backbone = parts == "head"
        for parameter in self._trainable:
            parameter.requires_grad_(not self.has_frozen_backbone)

    def is_of_head(self, name: str) -> bool:
        """Return whether a parameter is the head's, which the backbone's weights do not bring."""
        return not name.startswith(BACKBONE)

    def blocks_behind(self) -> dict[str, int]:
        """Return, for each of the backbone's parameters, how many steps of depth its block is from the head."""
        return {f"{BACKBONE}{name}": steps for name, steps in self.backbone.blocks_behind().items()}

    def undecayed(self) -> frozenset[str]:
        """Return the parameters that weight decay spares: norms, biases, and what timm names, such as positions."""
        small = {name for name, value in self.named_parameters() if value.ndim < 2}
        return frozenset(small | {f"{BACKBONE}{name}" for name in self.backbone.undecayed()})

    def synchronise_batch_norm(self) -> None:
        """Take batch norm over all processes that share a batch; timm's way, as PyTorch's loses fused activations."""
        convert_sync_batchnorm(self)

    def train(self, mode: bool = True) -> Self:
        """Switch to training; a frozen backbone keeps its batch-norm statistics."""
        super().train(mode)
        if self.has_frozen_backbone:
            self.backbone.eval()
        return self


WITHOUT_MEMORY = ("resnet", "timm")
"""Backbones that can be described without memory; other people's code may need numbers."""


def described(approach: Approach, *, findings: int) -> Classifier:
    """Return the approach's network without the memory of its weights, where its code allows that.

    Raises:
        ConfigError: It cannot be built.
    """
    if approach.network.backbone.name not in WITHOUT_MEMORY:
        return Classifier(approach, findings=findings)
    with torch.device("meta"):
        return Classifier(approach, findings=findings)


def build_classifier(approach: Approach, *, findings: int, seed: int, weights: dict[str, Tensor] | None) -> Classifier:
    """The approach's network, its random parts drawn from ``seed``.

    Args:
        approach: Resolved by a profile.
        findings: Number of outputs L.
        seed: Same seed, same network.
        weights: Three-channel backbone weights; needed exactly when the approach starts from weights.
    """
    if (weights is not None) != approach.network.has_weights:
        need = "needs" if weights is None else "takes no"
        raise ValueError(f"approach {approach.name!r} {need} pre-trained weights")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = Classifier(approach, findings=findings)
    if weights is not None:
        load_weights(classifier.backbone, weights)
    # Channels beside each other in memory: convolutions are faster so, on CPUs and GPUs alike.
    return classifier.to(memory_format=torch.channels_last)
