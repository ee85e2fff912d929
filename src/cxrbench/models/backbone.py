"""What every backbone offers, whatever its family: image features, their pooling, and feature maps."""

import re
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import isqrt
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call

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
        multiple: The input's side is a multiple of so many pixels.
        layers: Where feature maps can be taken for explanations, shallow to deep.
        has_fine_stages: Whether what a place of an earlier layer shows stays at that place in the layers behind it.
        first_conv: Name of the first layer's weight, which weights for three channels are adapted to.
        prefix: Beginning of its tensors' names that files of weights lack.
        has_mean_pooling: Pooled features are the plain mean of the maps; None: nothing says so, it must be measured.
        has_channels_last: Its layers give maps (B, h, w, C).
        prefix_tokens: Class and register tokens before those of the grid, where its layers give tokens.
    """

    channels: int
    pooled: int
    multiple: int
    layers: tuple[Layer, ...]
    first_conv: str
    has_fine_stages: bool = False
    prefix: str = ""
    has_mean_pooling: bool | None = None
    has_channels_last: bool = False
    prefix_tokens: int = 0

    def pool(self, encoded: Tensor) -> Tensor:
        """Return pooled features (B, pooled), with whatever norm the family has before its last layer."""
        raise NotImplementedError

    def maps(self, encoded: Tensor) -> Tensor:
        """Return feature maps (B, C, h, w)."""
        raise NotImplementedError

    def blocks_behind(self) -> dict[str, int]:
        """Return, for each parameter by name, how many steps of depth its block is from the head.

        1 is the last block. Blocks are what the network numbers, in the order in which it names them; what it does not
        number between them is a block too.
        """
        blocks = [_block_of(name.removeprefix(self.prefix)) for name, _ in self.named_parameters()]
        depths = list(accumulate((one != other for one, other in pairwise(blocks)), initial=0))
        return {name: depths[-1] + 1 - at for (name, _), at in zip(self.named_parameters(), depths, strict=True)}

    def undecayed(self) -> set[str]:
        """Return names of parameters, besides norms and biases, that weight decay should spare."""
        return set()

    def as_maps(self, output: Tensor, layer: Layer) -> Tensor:
        """Return what a layer gave, or a gradient in it, as maps (B, C, h, w): values are moved, never changed.

        Raises:
            ConfigError: It gives neither maps nor a square grid of tokens.
        """
        shape = tuple(output.shape) if isinstance(output, Tensor) else ()
        if len(shape) == 4 and layer.channels in (shape[1], shape[3]):
            is_last = self.has_channels_last if shape[1] == shape[3] else shape[3] == layer.channels
            return output.permute(0, 3, 1, 2) if is_last else output
        if len(shape) == 3 and shape[2] == layer.channels:
            for prefix in (self.prefix_tokens, 0):
                side = isqrt(max(shape[1] - prefix, 0))
                if side and side**2 == shape[1] - prefix:
                    return output[:, prefix:].transpose(1, 2).reshape(shape[0], shape[2], side, side)
        raise ConfigError(f"layer {layer.module} gives neither feature maps nor a square grid of tokens: {shape}")


def _block_of(name: str) -> str:
    """Return the beginning of a parameter's name up to its first number; of what is not numbered, nothing."""
    found = re.match(r".*?(?<![^.])\d+(?:\.\d+)*(?=\.)", name)
    return found[0] if found else ""


class WrappedModule(Backbone):
    """Wraps a module that maps films (B, 1 or 3, H, W) to feature maps (B, C, h, w); pooled by their mean.

    Where the module has a whole number ``multiple``, the input's side is a multiple of it.
    """

    prefix = "network."

    has_mean_pooling = True

    def __init__(self, network: nn.Module, *, channels: int, image_size: int) -> None:
        super().__init__()
        self.network = network
        self.layers = ()
        self.first_conv = next((f"network.{name}" for name, value in network.named_parameters() if value.ndim == 4), "")
        self.multiple = int(getattr(network, "multiple", 1))
        check_image_size(image_size, self.multiple, type(network).__name__)
        self.channels, self.pooled = measure(self, channels=channels, image_size=image_size)

    def forward(self, image: Tensor) -> Tensor:
        """Map films to feature maps."""
        maps: Tensor = self.network(image)
        return maps

    def pool(self, encoded: Tensor) -> Tensor:
        """Return the mean (B, C) of the maps."""
        return encoded.mean(dim=(2, 3))

    def maps(self, encoded: Tensor) -> Tensor:
        """Return the maps as they are.

        Raises:
            ConfigError: The network gives something else.
        """
        if not isinstance(encoded, Tensor) or encoded.ndim != 4:
            got = f"shape {tuple(encoded.shape)}" if isinstance(encoded, Tensor) else f"a {type(encoded).__name__}"
            raise ConfigError(f"gives {got}")
        return encoded


def build_backbone(part: Part, *, channels: int, image_size: int) -> Backbone:
    """Return the network that the settings describe, with random weights from torch's current seed.

    Args:
        part: Which backbone.
        channels: Channels of its input.
        image_size: Side of its square input, pixels.

    Raises:
        ConfigError: No such network, it gives no feature maps, or it cannot take such an input.
    """
    network = BACKBONES.build(part, channels=channels, image_size=image_size)
    what = BACKBONES.title(part)
    backbone = _wrapped(network, what, channels=channels, image_size=image_size)
    check_image_size(image_size, backbone.multiple, what)
    return backbone


def _wrapped(network: Any, what: str, *, channels: int, image_size: int) -> Backbone:
    """Return what a builder returned as a backbone."""
    if isinstance(network, Backbone):
        return network
    if not isinstance(network, nn.Module):
        raise ConfigError(
            f"{what}: its builder returned an object of type {type(network).__name__}, expected a torch module that "
            "maps films to feature maps"
        )
    try:
        return WrappedModule(network, channels=channels, image_size=image_size)
    except Exception as error:
        raise ConfigError(
            f"{what}: does not map films (B, {channels}, {image_size}, {image_size}) to feature maps (B, C, h, w): "
            f"{shortened(error)}; return the maps before they are pooled"
        ) from error


def check_image_size(image_size: int, multiple: int, backbone: str) -> None:
    """Refuse an input that is no multiple of what a backbone needs.

    Raises:
        ConfigError: The message offers the nearest.
    """
    try:
        require_multiple(image_size, multiple, backbone)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def measure(backbone: Backbone, *, channels: int, image_size: int) -> tuple[int, int]:
    """Return the number of feature maps, and the width of the pooled features.

    No number is computed for it, and none is drawn. Only a network whose code looks at numbers meets one blank film.

    Raises:
        ConfigError: The network gives neither maps nor a grid of tokens.
    """
    was_training = backbone.training
    backbone.eval()  # a blank film changes no statistics
    try:
        maps, pooled = _features(backbone, channels=channels, image_size=image_size)
    finally:
        backbone.train(was_training)
    if maps.ndim != 4 or maps.shape[2] != maps.shape[3] or pooled.ndim != 2:
        raise ConfigError(
            f"gives features of shape {tuple(maps.shape)} and pooled ones of shape {tuple(pooled.shape)}; "
            "expected maps (B, C, h, w) and (B, C)"
        )
    return maps.shape[1], pooled.shape[1]


class _Features(nn.Module):
    """A backbone whose call gives maps and pooled features: only calls can borrow other tensors."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, film: Tensor) -> tuple[Tensor, Tensor]:
        encoded = self.backbone(film)
        return self.backbone.maps(encoded), self.backbone.pool(encoded)


def unreached(backbone: Backbone, *, channels: int, image_size: int) -> list[str]:
    """Return the names of the parameters that the feature maps do not depend on, such as a norm after pooling.

    Whoever takes the maps does not train them. Of a network whose code looks at numbers nothing is known.
    """
    network, film = _Features(backbone), torch.zeros(1, channels, image_size, image_size, device="meta")
    parameters = {name: value.detach().to("meta").requires_grad_() for name, value in network.named_parameters()}
    buffers = {name: value.to("meta") for name, value in network.named_buffers()}
    was_training = backbone.training
    backbone.eval()
    try:
        with torch.enable_grad():
            maps, _ = functional_call(network, parameters | buffers, film)
            gradients = torch.autograd.grad(maps.sum(), list(parameters.values()), allow_unused=True)
    except (RuntimeError, NotImplementedError):
        return []
    finally:
        backbone.train(was_training)
    names = [name.removeprefix("backbone.") for name in parameters]
    return [name for name, gradient in zip(names, gradients, strict=True) if gradient is None]


@torch.no_grad()
def _features(backbone: Backbone, *, channels: int, image_size: int) -> tuple[Tensor, Tensor]:
    """Maps and pooled features of a blank film, without numbers where the network's code allows it."""
    network, film = _Features(backbone), torch.zeros(1, channels, image_size, image_size, device="meta")
    tensors = dict(network.named_parameters()) | dict(network.named_buffers())
    without_numbers = {name: value.to("meta") for name, value in tensors.items()}
    try:
        return cast("tuple[Tensor, Tensor]", functional_call(network, without_numbers, film))
    except ConfigError:
        raise
    except Exception:  # noqa: BLE001 - whatever it is, a network that cannot take a film says so again
        device = next((value.device for value in tensors.values()), torch.device("cpu"))
        with torch.random.fork_rng(devices=[]):
            return cast("tuple[Tensor, Tensor]", network(torch.zeros_like(film, device=device)))


def shortened(error: Exception) -> str:
    """Return what a foreign error says, on one short line."""
    return " ".join(str(error).split())[:160]
