"""Ports for the servers of tests."""

import random
import socket
from contextlib import suppress

PORTS = range(10_000, 32_000)
"""Below those that systems give to outgoing connections, which may take a port between its choice and its use."""


def free_port() -> int:
    """A port that nothing listens on now."""
    for port in random.SystemRandom().sample(PORTS, 100):
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")
