"""A bundle behind HTTP: an API, and a page for a person.

Names are imported when they are asked for: decoding processes need none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cxrbench.serve.app import create_app
    from cxrbench.serve.running import Server
    from cxrbench.serve.settings import ServeSettings

__all__ = ["ServeSettings", "Server", "create_app"]

_HOMES = {"ServeSettings": "settings", "Server": "running", "create_app": "app"}


def __getattr__(name: str) -> Any:
    """One of ``__all__``, from its module."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
