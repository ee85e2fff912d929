"""A bundle behind HTTP: an API, and a page for a person."""

from cxrbench.serve.app import create_app
from cxrbench.serve.running import Server
from cxrbench.serve.settings import ServeSettings

__all__ = ["ServeSettings", "Server", "create_app"]
