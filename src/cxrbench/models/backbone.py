"""What every backbone offers, whatever its family: image features, their pooling, and feature maps."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cxrbench.config import BACKBONES, Part, require_multiple
from cxrbench.errors import ConfigError


@dataclass(frozen=True)
class Layer:
    """A place inside a backbone where feature maps can be taken.

    Attributes:
        module: Name of the module whose output they are.
        channels: How many maps.
        stride: Pixels of the input per step of the maps.
    """

    module: str
    channels: int
    stride: int


class Backbone(nn.Module):
    """Base of all backbones: a network without its last layer.

    ``forward`` maps films (B, channels, H, W) to whatever the family's own layers give. ``pool`` and ``maps`` turn that
    into what heads take.

    Attributes:
        channels: Feature maps C.
        pooled: Width of the pooled features.
        multiple: Of the input's side, pixels.
        layers: Where feature maps can be taken for explanations, shallow to deep.
        first_conv: Name of the first layer's weight, which weights for three channels are adapted to.
        prefix: Beginning of its tensors' names that files of weights lack.
    """

    channels: int
    pooled: int
    multiple: int
    layers: tuple[Layer, ...]
    first_conv: str
    prefix: str = ""

    def pool(self, encoded: Tensor) -> Tensor:
        """Return pooled features (B, pooled), with whatever norm the family has before its last layer."""
        raise NotImplementedError

    def maps(self, encoded: Tensor) -> Tensor:
        """Return feature maps (B, C, h, w)."""
        raise NotImplementedError


def build_backbone(part: Part, *, channels: int, image_size: int) -> Backbone:
    """Return the network that the settings describe, with random weights from torch's current seed.

    Args:
        part: Which backbone.
        channels: Channels of its input.
        image_size: Side of its square input, pixels.

    Raises:
        ConfigError: No such network, it gives no feature maps, or it cannot take such an input.
    """
    what = f"backbone {part.name}"
    backbone = BACKBONES.build(part, channels=channels, image_size=image_size)
    if not isinstance(backbone, Backbone):
        raise ConfigError(f"{what}: its builder returned a {type(backbone).__name__}, not a cxrbench Backbone")
    try:
        require_multiple(image_size, backbone.multiple, what)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return backbone


def measure(backbone: Backbone, *, channels: int, image_size: int) -> tuple[int, int, int]:
    """Return channels and side of the maps, and the width of the pooled features, from one blank film.

    Raises:
        ConfigError: The network cannot take such a film, or gives neither maps nor a grid of tokens.
    """
    was_training = backbone.training
    try:
        with torch.no_grad():
            encoded = backbone.eval()(torch.zeros(1, channels, image_size, image_size))
            maps, pooled = backbone.maps(encoded), backbone.pool(encoded)
    finally:
        backbone.train(was_training)
    if maps.ndim != 4 or maps.shape[2] != maps.shape[3] or pooled.ndim != 2:
        raise ConfigError(
            f"gives features of shape {tuple(maps.shape)} and pooled ones of shape {tuple(pooled.shape)}; "
            "expected maps (B, C, h, w) and (B, C)"
        )
    return maps.shape[1], maps.shape[2], pooled.shape[1]
