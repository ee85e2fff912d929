"""Any network of timm as a backbone: its own pooling and norm are kept, its maps or tokens become feature maps."""

import inspect
import re
from collections.abc import Callable
from fnmatch import fnmatch
from itertools import chain
from math import isqrt
from typing import Any

import timm
import torch
from timm.models._manipulate import group_with_matcher
from torch import Tensor

from cxrbench.config.base import near_names
from cxrbench.config.network import Timm
from cxrbench.errors import ConfigError
from cxrbench.models.backbone import Backbone, Layer, check_image_size, measure, shortened

GIVEN = {"num_classes", "in_chans", "img_size", "drop_path_rate", *inspect.signature(timm.create_model).parameters}
"""Arguments of timm that are no options: an approach says them elsewhere, or they would read files."""


class TimmBackbone(Backbone):
    """A timm network without its last layer.

    ``forward`` gives timm's ``forward_features``; ``pool`` its ``forward_head`` before the last layer, so that a linear
    head on it computes what timm's own classifier does.
    """

    prefix = "network."
    network: Any  # a torch module; nothing says in types which methods timm's networks have

    def __init__(self, network: Any, *, channels: int, image_size: int) -> None:
        super().__init__()
        self.network = network
        self.has_channels_last = getattr(network, "output_fmt", "NCHW") == "NHWC"
        self.prefix_tokens = int(getattr(network, "num_prefix_tokens", 0))
        # Hiera keeps the tokens of a window together until the end: what its stages give is no picture.
        self.layers = () if hasattr(network, "reroll") else _layers(network)
        self.multiple = _multiple(network)
        first = network.pretrained_cfg.get("first_conv") or ()
        self.first_conv = f"network.{first if isinstance(first, str) else first[0]}.weight" if first else ""
        check_image_size(image_size, self.multiple, "it")
        self.channels, self.pooled = measure(self, channels=channels, image_size=image_size)

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, 1 or 3, H, W) to timm's features: maps, maps with channels last, or tokens."""
        features: Tensor = self.network.forward_features(image)
        return features

    def pool(self, encoded: Tensor) -> Tensor:
        """Return what timm's last layer takes (B, pooled)."""
        pooled: Tensor = self.network.forward_head(encoded, pre_logits=True)
        return pooled

    def maps(self, encoded: Tensor) -> Tensor:
        """Return feature maps (B, C, h, w), without class and register tokens.

        Raises:
            ConfigError: There are neither maps nor a square grid of tokens.
        """
        if not isinstance(encoded, Tensor):
            raise ConfigError(f"gives a {type(encoded).__name__}, neither feature maps nor a grid of tokens")
        if encoded.ndim == 3:
            return self._grid(encoded[:, self.prefix_tokens :])
        return encoded.permute(0, 3, 1, 2) if self.has_channels_last else encoded

    def blocks_behind(self) -> dict[str, int]:
        """Return how many steps of depth each parameter's block is from the head, by timm's own grouping."""
        if not hasattr(self.network, "group_matcher"):
            return super().blocks_behind()
        matcher = self.network.group_matcher(coarse=False)
        # A name that no group knows comes with what timm puts beside its last layer.
        named = chain(self.network.named_parameters(), [("a head", None)])
        depths = group_with_matcher(named, matcher, reverse=True)
        return {f"{self.prefix}{name}": depths["a head"] - depths[name] for name, _ in self.network.named_parameters()}

    def undecayed(self) -> set[str]:
        """Return what timm says that weight decay spares, such as positions and class tokens."""
        named: set[str] = getattr(self.network, "no_weight_decay", set)()
        names = [name for name, _ in self.network.named_parameters()]
        return {f"{self.prefix}{name}" for name in names if any(fnmatch(name, each) for each in named)}

    def _grid(self, tokens: Tensor) -> Tensor:
        """Tokens (B, h*w, C) as maps (B, C, h, w)."""
        side = isqrt(tokens.shape[1])
        if side**2 != tokens.shape[1]:
            raise ConfigError(f"gives {tokens.shape[1]} tokens, which are no square grid")
        return tokens.transpose(1, 2).reshape(tokens.shape[0], -1, side, side)


def build(settings: Timm, *, channels: int, image_size: int) -> TimmBackbone:
    """Return timm's network of that name, with random weights from torch's current seed.

    Raises:
        ConfigError: timm has no such network, it refuses an option or the input's size, or it gives neither maps nor a
            grid of tokens.
    """
    what = f"timm network {settings.model!r}"
    _check_name(settings.model)
    if given := sorted(GIVEN & set(settings.options)):
        raise ConfigError(f"{what}: {given[0]} is no option; the approach's other values decide it")
    try:
        network = _created(settings, channels=channels, image_size=image_size)
        return TimmBackbone(network, channels=channels, image_size=image_size)
    except ConfigError as error:
        raise ConfigError(f"{what}: {error}") from None
    except Exception as error:
        _check_default_multiple(settings.model, image_size, what)
        raise ConfigError(
            f"{what} cannot be built with input.image_size {image_size} and options {settings.options} "
            f"({type(error).__name__}: {shortened(error)})"
        ) from error


def _created(settings: Timm, *, channels: int, image_size: int) -> Any:
    """Create the network; what not every network knows is left out where it is refused."""
    create: Callable[..., Any] = timm.create_model
    optional: dict[str, Any] = {"drop_path_rate": settings.drop_path}
    if getattr(timm.get_pretrained_cfg(settings.model), "fixed_input_size", False):
        optional["img_size"] = image_size
    while True:
        try:
            return create(settings.model, num_classes=0, in_chans=channels, **optional, **settings.options)
        except TypeError as error:
            refused = re.search(r"keyword argument(?:\(s\))?:? \[?'(\w+)'", str(error))
            if refused is None:
                raise
            _leave_out(optional, refused[1], settings)


def _leave_out(optional: dict[str, Any], name: str, settings: Timm) -> None:
    """Remove an argument that the network does not know.

    Raises:
        ConfigError: The approach asks for it.
    """
    if name == "drop_path_rate" and settings.drop_path:
        raise ConfigError(f"knows no drop path; leave out drop_path: {settings.drop_path:g}")
    if name not in optional:
        raise ConfigError(f"knows no option {name!r}; leave it out")
    del optional[name]


def _check_name(model: str) -> None:
    """Refuse a name that timm does not have; the message offers near ones."""
    name, _, tag = model.partition(".")
    if not timm.is_model(name):
        names = timm.list_models()
        raise ConfigError(
            f"unknown timm network {name!r}; {near_names(name, names)}timm.list_models() lists all {len(names):,}"
        )
    tags = [known.partition(".")[2] for known in timm.list_pretrained(f"{name}.*")]
    if tag and tag not in tags:
        raise ConfigError(
            f"timm network {name!r} has no weights {tag!r}; {near_names(tag, tags)}it has {', '.join(tags) or 'none'}"
        )


def _layers(network: Any) -> tuple[Layer, ...]:
    """Where timm says that features can be taken."""
    info = getattr(network, "feature_info", None) or ()
    found = [dict(each) for each in getattr(info, "info", info)]
    return tuple(Layer(f"network.{each['module']}", each["num_chs"], each["reduction"]) for each in found)


def _multiple(network: Any) -> int:
    """Return the last layer's stride; 1 where the network's own size shows that it takes others."""
    layers = _layers(network)
    stride = layers[-1].stride if layers else 1
    return 1 if (network.pretrained_cfg.get("input_size") or [0])[-1] % stride else stride


def _check_default_multiple(model: str, image_size: int, what: str) -> None:
    """Where a network could not be built, see whether the size is the reason."""
    with torch.device("meta"):
        network = timm.create_model(model, num_classes=0)
    check_image_size(image_size, _multiple(network), what)
