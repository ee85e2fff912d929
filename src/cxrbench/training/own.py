"""Parts of a recipe from a function of the user's own package."""

from typing import Any

from cxrbench.config.network import Module
from cxrbench.config.registry import imported
from cxrbench.errors import ConfigError
from cxrbench.models.backbone import shortened


def call_own(kind: str, settings: Module, **context: Any) -> Any:
    """Call a function of the user's own package, which makes a part from ``context`` and the options.

    Raises:
        ConfigError: It cannot be imported, or fails.
    """
    what = f"{kind} module {settings.function}"
    function = imported(settings.function, what=what)
    try:
        return function(**context, **settings.options)
    except Exception as error:
        raise ConfigError(f"{what}: failed ({type(error).__name__}: {shortened(error)})") from error
