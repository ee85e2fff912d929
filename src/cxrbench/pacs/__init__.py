"""DICOM out, and a place beside an archive: films come in, coded results go back.

Names are imported when they are asked for; all need the extra ``dicom``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cxrbench.pacs.answering import Answerer, Results

__all__ = ["Answerer", "Results"]

_HOMES = {"Answerer": "answering", "Results": "answering"}


def __getattr__(name: str) -> Any:
    """One of ``__all__``, from its module."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
