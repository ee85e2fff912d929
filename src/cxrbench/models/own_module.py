"""A backbone from a function of the user's own package."""

from torch import nn

from cxrbench.config.network import Module
from cxrbench.config.registry import imported
from cxrbench.errors import ConfigError
from cxrbench.models.backbone import shortened


def build(settings: Module, *, channels: int, image_size: int) -> nn.Module:
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
        raise ConfigError(
            f"{what}: failed ({type(error).__name__}: {shortened(error)}); correct the function, or its options"
        ) from error
    if not isinstance(network, nn.Module):
        raise ConfigError(
            f"{what}: returned an object of type {type(network).__name__}, expected a torch module that maps films to "
            "feature maps"
        )
    return network
