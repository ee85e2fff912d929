"""What computes the logits: arrays in, logits out; one backend is one member's network."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cxrbench.bundle import Bundle, Member
from cxrbench.bundle.reference import TOLERANCE
from cxrbench.errors import BundleError, ConfigError
from cxrbench.predict import exported

AUTO = "auto"
"""The fastest at hand; what that is, ``opening`` finds out."""


class Backend(Protocol):
    """One member's network, ready to run."""

    def __call__(self, films: NDArray[np.float32], features: NDArray[np.float32], /) -> NDArray[np.float32]:
        """Films (B, 1, H, W), grey values in 0..1, and scaled features (B, F) -> logits (B, L)."""
        ...


def _open_torch(bundle: Bundle, member: Member) -> Backend:
    if reason := bundle.code_obstacle(member):
        raise BundleError(f"{bundle.folder}: {reason}, or use an export of the bundle")
    from cxrbench.bundle.network import TorchNetwork  # noqa: PLC0415 - torch is slow to import

    return TorchNetwork(bundle.classifier(member))


def _open_onnx(bundle: Bundle, member: Member) -> Backend:
    from cxrbench.predict.runtimes import OnnxNetwork  # noqa: PLC0415 - only who exported has its packages

    return OnnxNetwork(exported.exported_network(bundle, member, "onnx"))


def _open_openvino(bundle: Bundle, member: Member) -> Backend:
    from cxrbench.predict.runtimes import OpenVinoNetwork  # noqa: PLC0415 - likewise

    return OpenVinoNetwork(exported.exported_network(bundle, member, "openvino"))


def _open_int8(bundle: Bundle, member: Member) -> Backend:
    from cxrbench.predict.runtimes import OpenVinoNetwork  # noqa: PLC0415 - likewise

    return OpenVinoNetwork(exported.exported_network(bundle, member, exported.INT8))


BACKENDS: dict[str, Callable[[Bundle, Member], Backend]] = {
    "torch": _open_torch,
    "onnx": _open_onnx,
    "openvino": _open_openvino,
    exported.INT8: _open_int8,
}
"""Name -> how a member's network is opened; each imports what it needs when it is asked for."""


def tolerance_of(name: str, bundle: Bundle) -> float:
    """How far a backend's logits may lie from the reference output, relative where they are above 1.

    Of int8, whose rounding differs from processor to processor: twice as far as on the films it was checked with.
    """
    if name == exported.INT8:
        return 2 * exported.largest_difference(bundle, exported.INT8)
    return exported.TOLERANCE if name in exported.FORMS else TOLERANCE


def open_backends(name: str, bundle: Bundle) -> tuple[Backend, ...]:
    """The networks of all members.

    Raises:
        ConfigError: No such backend; the message lists the names.
    """
    if name not in BACKENDS:
        raise ConfigError(f"unknown backend {name!r}; valid names: {', '.join((AUTO, *BACKENDS))}")
    return tuple(BACKENDS[name](bundle, member) for member in bundle.members)
