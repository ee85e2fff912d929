"""A bundle's networks, opened by the backend's name, or by the rule for ``auto``."""

from dataclasses import dataclass, field
from importlib.util import find_spec

from cxrbench.bundle import Bundle
from cxrbench.bundle.reference import TOLERANCE, check_reference, reference_difference
from cxrbench.errors import BundleError
from cxrbench.predict import exported
from cxrbench.predict.backends import AUTO, Backend, open_backends, tolerance_of
from cxrbench.predict.exported import Form, has_export

TORCH = "torch"
RUNTIMES: dict[Form, str] = {"openvino": "openvino", "onnx": "onnxruntime"}
"""What ``auto`` tries on a CPU before torch, fastest first, and the package it needs.

The order is that of benchmarks/results/inference.csv.
"""


@dataclass(frozen=True)
class Opened:
    """A bundle's networks, ready to run.

    Attributes:
        backend: Which computes; never ``auto``.
        networks: Of the members.
        largest_difference: From the reference output; NaN when it was not checked.
        passed_over: Faster backend -> why ``auto`` did not take it.
    """

    backend: str
    networks: tuple[Backend, ...]
    largest_difference: float
    passed_over: dict[str, str] = field(default_factory=dict)


def open_networks(bundle: Bundle, backend: str, *, is_checked: bool = True) -> Opened:
    """Open all members' networks.

    Args:
        bundle: From ``load_bundle``.
        backend: A name of ``BACKENDS``, or ``auto``: the export that was given with the bundle; else torch where it has
            a GPU; else the first of ``RUNTIMES`` that is installed, that the bundle has an export for, and that gives
            the reference output; else torch.
        is_checked: Compare the reference output. What ``auto`` takes in place of torch is compared always.

    Raises:
        BundleError: The reference film has another output than when the bundle was made, or an export was altered.
        ConfigError: No such backend; the message lists the names.
    """
    if backend == AUTO and (given := exported.form_given(bundle)):
        backend = given
    return (
        _fastest(bundle, is_checked=is_checked) if backend == AUTO else _named(bundle, backend, is_checked=is_checked)
    )


def _named(bundle: Bundle, backend: str, *, is_checked: bool) -> Opened:
    networks = open_backends(backend, bundle)
    if not is_checked:
        return Opened(backend, networks, float("nan"))
    tolerance = tolerance_of(backend, bundle)
    apart = check_reference(bundle.reference, bundle.members, networks, bundle.findings, tolerance=tolerance)
    return Opened(backend, networks, apart)


def _fastest(bundle: Bundle, *, is_checked: bool) -> Opened:
    """What ``auto`` takes.

    An export must agree as closely as torch itself, so its answers are the evaluation's. Where torch cannot compute for
    want of the networks' code, an export may differ as much as one that was asked for by name.
    """
    passed_over: dict[str, str] = {}
    has_torch = bundle.code_obstacle() is None
    is_torch_first = has_torch and _has_gpu()
    limit = TOLERANCE if has_torch else exported.TOLERANCE
    for form in () if is_torch_first else RUNTIMES:
        if reason := _obstacle(bundle, form):
            passed_over[form] = reason
            continue
        networks = open_backends(form, bundle)
        apart = reference_difference(bundle.reference, bundle.members, networks).largest
        if apart <= limit:
            return Opened(form, networks, apart, passed_over)
        passed_over[form] = f"its logits of the reference film are {apart:.1e} from those of the bundle"
    if reason := bundle.code_obstacle():
        tried = "; ".join(f"{form}: {why}" for form, why in passed_over.items())
        raise BundleError(f"{bundle.folder}: {reason}, or use an export of the bundle ({tried})")
    own = _named(bundle, TORCH, is_checked=is_checked)
    return Opened(own.backend, own.networks, own.largest_difference, passed_over)


def _obstacle(bundle: Bundle, form: Form) -> str | None:
    """Why an export cannot be tried."""
    if not has_export(bundle, form):
        return "the bundle has no export for it"
    return None if find_spec(RUNTIMES[form]) else f"{RUNTIMES[form]} is not installed"


def _has_gpu() -> bool:
    import torch  # noqa: PLC0415 - whoever names another backend does not wait for it

    return torch.cuda.is_available()
