"""What computes the logits: arrays in, logits out; one backend is one member's network."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cxrbench.bundle import Bundle, Member
from cxrbench.errors import ConfigError


class Backend(Protocol):
    """One member's network, ready to run."""

    def __call__(self, films: NDArray[np.float32], features: NDArray[np.float32], /) -> NDArray[np.float32]:
        """Films (B, 1, H, W), grey values in 0..1, and scaled features (B, F) -> logits (B, L)."""
        ...


def _open_torch(bundle: Bundle, member: Member) -> Backend:
    from cxrbench.bundle.network import TorchNetwork  # noqa: PLC0415 - torch is slow to import

    return TorchNetwork(bundle.classifier(member))


BACKENDS: dict[str, Callable[[Bundle, Member], Backend]] = {"torch": _open_torch}
"""Name -> how a member's network is opened; each imports what it needs when it is asked for."""


def open_backends(name: str, bundle: Bundle) -> tuple[Backend, ...]:
    """The networks of all members.

    Raises:
        ConfigError: No such backend; the message lists the names.
    """
    if name not in BACKENDS:
        raise ConfigError(f"unknown backend {name!r}; valid names: {', '.join(BACKENDS)}")
    return tuple(BACKENDS[name](bundle, member) for member in bundle.members)
