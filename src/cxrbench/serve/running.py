"""A server process: one socket, one application, an orderly end."""

import logging
import signal
import socket

import uvicorn
from starlette.types import ASGIApp

from cxrbench.errors import ConfigError
from cxrbench.serve.settings import ServeSettings

BACKLOG = 128


class Server:
    """An application on a socket that is open already.

    Attributes:
        url: Where it is reached.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        """Take the address.

        Raises:
            ConfigError: It is taken, or not this machine's.
        """
        self._settings = settings
        self._socket = listen_on(settings)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self.url = f"http://{host}:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,  # it would show whatever stands in an address
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=2 * settings.time_limit_s,
            )
        )

    def run(self) -> None:
        """Answer until SIGTERM or Ctrl-C; requests in flight are finished first."""
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
        logging.getLogger("uvicorn").setLevel(logging.WARNING)
        # uvicorn raises the signal again when all is done, which is no failure.
        for asked in (signal.SIGTERM, signal.SIGINT):
            signal.signal(asked, lambda _number, _frame: None)
        self._server.run(sockets=[self._socket])


def listen_on(settings: ServeSettings) -> socket.socket:
    """A socket on the address that the settings name.

    Raises:
        ConfigError: It is taken, or not this machine's.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listening = socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}; "
            "choose another with --host and --port"
        ) from None
    # Connections inherit it; asyncio sees to it only for sockets of its own. Without it an answer's body waits 40 ms,
    # until the client has acknowledged its head.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
