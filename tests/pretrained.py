"""Approaches that start from weights, and small networks whose weights stand for published ones."""

from typing import Any

import timm
import torch

from cxrbench.config import Approach, parse_settings
from cxrbench.models.backbone import build_backbone

TINY = {"resnet": {"depth": 50, "blocks": [1, 1, 1, 1], "width": 4}}
VIT = {"timm": {"model": "vit_tiny_patch16_224", "options": {"depth": 2, "embed_dim": 24, "num_heads": 2}}}


def approach_from(weights: Any, backbone: Any = None, *, channels: int = 3, size: int = 64, **film: Any) -> Approach:
    """An approach that starts from ``weights``; it states no mean and spread unless told."""
    raw = {
        "name": "own",
        "summary": "an approach of a test",
        "network": {"backbone": backbone or TINY, "weights": weights},
        "input": {"image_size": size, "store_size": size, "channels": channels, **film},
        "recipe": {"learning_rate": 0.001},
    }
    return parse_settings(raw, Approach, where="approach own")


def state_of(backbone: Any = None, *, channels: int = 3, size: int = 64, seed: int = 0) -> dict[str, torch.Tensor]:
    """Tensors of one of our backbones, in the names that files have; each is another."""
    own = approach_from({"none": {}}, backbone, channels=channels, size=size, mean=[0.5] * channels, std=[1] * channels)
    network = build_backbone(own.network.backbone, channels=channels, image_size=size)
    return drawn({name.removeprefix(network.prefix): value for name, value in network.state_dict().items()}, seed)


def drawn(state: dict[str, torch.Tensor], seed: int = 0) -> dict[str, torch.Tensor]:
    """The same names and shapes with numbers drawn from a seed; variances stay above zero."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(value.shape, generator=generator) + 0.1 if value.is_floating_point() else value
        for name, value in state.items()
    }


def timm_state(model: str, *, seed: int = 0, **options: Any) -> dict[str, torch.Tensor]:
    """Tensors of a network of timm with its last layer, as its hub has them."""
    return drawn(timm.create_model(model, pretrained=False, **options).state_dict(), seed)
