"""A trained model with all that is needed to use it, in a folder: a run -> a bundle, and back.

Names are imported when they are asked for: decoding processes need none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cxrbench.bundle.choosing import choose_runs
    from cxrbench.bundle.loading import Bundle, load_bundle
    from cxrbench.bundle.making import make_bundle
    from cxrbench.bundle.record import BundleRecord, Member

__all__ = ["Bundle", "BundleRecord", "Member", "choose_runs", "load_bundle", "make_bundle"]

_HOMES = {
    "Bundle": "loading",
    "BundleRecord": "record",
    "Member": "record",
    "choose_runs": "choosing",
    "load_bundle": "loading",
    "make_bundle": "making",
}


def __getattr__(name: str) -> Any:
    """One of ``__all__``, from its module."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
