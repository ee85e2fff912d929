"""A backbone from a function of the user's own package."""

from torch import Tensor, nn

from cxrbench.config.network import Module
from cxrbench.config.registry import imported
from cxrbench.errors import ConfigError
from cxrbench.models.backbone import Backbone, check_image_size, measure, shortened


class OwnBackbone(Backbone):
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


def build(settings: Module, *, channels: int, image_size: int) -> Backbone:
    """Call the user's function with ``channels``, ``image_size`` and the options.

    It returns a ``Backbone``, or any module that maps films to feature maps (B, C, h, w).

    Raises:
        ConfigError: It cannot be imported, fails, or returns something else.
    """
    what = f"backbone module {settings.function}"
    function = imported(settings.function, what=what)
    try:
        network = function(channels=channels, image_size=image_size, **settings.options)
    except Exception as error:
        raise ConfigError(f"{what}: failed ({type(error).__name__}: {shortened(error)})") from error
    if isinstance(network, Backbone):
        return network
    if not isinstance(network, nn.Module):
        raise ConfigError(f"{what}: returned a {type(network).__name__}, expected a torch module")
    try:
        return OwnBackbone(network, channels=channels, image_size=image_size)
    except Exception as error:
        raise ConfigError(
            f"{what}: does not map films (B, {channels}, {image_size}, {image_size}) to feature maps (B, C, h, w): "
            f"{shortened(error)}"
        ) from error
