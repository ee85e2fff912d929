"""Train and compare deep-learning approaches for multi-label chest X-ray classification.

The names in ``__all__`` are the Python interface. Each is imported when it is first asked for, so that
``import cxrbench`` takes no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cxrbench.config import Approach, Vocabulary, load_approach, load_vocabulary
    from cxrbench.errors import CxrbenchError
    from cxrbench.interface.assessment import auc, compare, evaluate
    from cxrbench.interface.bundle import Bundle, load_bundle
    from cxrbench.interface.labels import power, read_labels
    from cxrbench.interface.study import Study, open_study, run_study

__version__ = "0.2.0.dev0"

__all__ = [
    "Approach",
    "Bundle",
    "CxrbenchError",
    "Study",
    "Vocabulary",
    "auc",
    "compare",
    "evaluate",
    "load_approach",
    "load_bundle",
    "load_vocabulary",
    "open_study",
    "power",
    "read_labels",
    "run_study",
]

_HOMES = {
    "Approach": "config",
    "Bundle": "interface.bundle",
    "CxrbenchError": "errors",
    "Study": "interface.study",
    "Vocabulary": "config",
    "auc": "interface.assessment",
    "compare": "interface.assessment",
    "evaluate": "interface.assessment",
    "load_approach": "config",
    "load_bundle": "interface.bundle",
    "load_vocabulary": "config",
    "open_study": "interface.study",
    "power": "interface.labels",
    "read_labels": "interface.labels",
    "run_study": "interface.study",
}


def __getattr__(name: str) -> Any:
    """Return one of ``__all__``, from its module."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it offers {', '.join(__all__)}")


def __dir__() -> list[str]:
    """Return the names that completion offers."""
    return sorted({*globals(), *__all__})
