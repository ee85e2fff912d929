"""Any network of timm as a backbone: its own pooling and norm are kept, its maps or tokens become feature maps."""

import inspect
from math import isqrt
from typing import Any

import timm
from torch import Tensor, nn

from cxrbench.config.base import unknown
from cxrbench.config.network import Timm
from cxrbench.errors import ConfigError
from cxrbench.models.backbone import Backbone, Layer, measure

SHOWN = 40
"""Names that an error lists at most; timm has over a thousand."""


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
        self.layers = tuple(
            Layer(f"network.{each['module']}", each["num_chs"], each["reduction"]) for each in _feature_info(network)
        )
        self.first_conv = f"network.{_first(network.pretrained_cfg.get('first_conv'))}.weight"
        self.channels, side, self.pooled = measure(self, channels=channels, image_size=image_size)
        self.multiple = self.layers[-1].stride if self.layers else max(image_size // side, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, 1 or 3, H, W) to timm's features: maps, maps with channels last, or tokens."""
        features: Tensor = self.network.forward_features(image)
        return features

    def pool(self, encoded: Tensor) -> Tensor:
        """Return what timm's last layer takes (B, pooled)."""
        pooled: Tensor = self.network.forward_head(encoded, pre_logits=True)
        return pooled

    def maps(self, encoded: Tensor) -> Tensor:
        """Return feature maps (B, C, h, w), without class and register tokens."""
        if encoded.ndim == 3:
            tokens = encoded[:, self.prefix_tokens :]  # (B, h*w, C)
            side = isqrt(tokens.shape[1])
            return tokens.transpose(1, 2).reshape(len(tokens), -1, side, tokens.shape[1] // side)
        return encoded.permute(0, 3, 1, 2) if self.has_channels_last else encoded


def build(settings: Timm, *, channels: int, image_size: int) -> TimmBackbone:
    """Return timm's network of that name, with random weights from torch's current seed.

    Raises:
        ConfigError: timm has no such network, it refuses an option, or it gives neither maps nor a grid of tokens.
    """
    what = f"timm network {settings.model!r}"
    if not timm.is_model(settings.model):
        raise ConfigError(_no_such_model(settings.model))
    options: dict[str, Any] = {"num_classes": 0, "in_chans": channels, **settings.options}
    if settings.drop_path:
        options["drop_path_rate"] = settings.drop_path
    if takes_image_size(settings.model):
        options.setdefault("img_size", image_size)
    try:
        network = timm.create_model(settings.model, pretrained=False, **options)
        return TimmBackbone(network, channels=channels, image_size=image_size)
    except ConfigError as error:
        raise ConfigError(f"{what}: {error}; choose one with feature maps or a grid of tokens") from None
    except Exception as error:
        reason = " ".join(str(error).split())[:160]
        raise ConfigError(
            f"{what} cannot be used with input.image_size {image_size} and options {settings.options} "
            f"({type(error).__name__}: {reason})"
        ) from error


def takes_image_size(model: str) -> bool:
    """Return whether the network is built for one size of input, and takes it as an argument."""
    config = timm.get_pretrained_cfg(model, allow_unregistered=True)
    if config is None or not config.fixed_input_size:
        return False
    function = timm.model_entrypoint(model)
    owner = inspect.getmodule(function)
    classes = [each for each in vars(owner).values() if inspect.isclass(each) and issubclass(each, nn.Module)]
    return any("img_size" in inspect.signature(each.__init__).parameters for each in classes)


def _no_such_model(name: str) -> str:
    base, _, tag = name.partition(".")
    if tag and timm.is_model(base):
        tags = [each.partition(".")[2] for each in timm.list_pretrained(f"{base}.*")]
        return f"timm has no weights {tag!r} for {base}; {unknown('tag', tag, tags)}"
    return unknown("timm network", name, timm.list_models()).partition("; valid")[0].partition("valid names")[0] + (
        f"; `cxrbench approaches` lists packaged ones, timm has {len(timm.list_models()):,}"
    )


def _feature_info(network: Any) -> list[dict[str, Any]]:
    info = getattr(network, "feature_info", None) or []
    return [dict(each) for each in getattr(info, "info", info)]


def _first(name: Any) -> str:
    return str(name[0] if isinstance(name, list | tuple) else name)
