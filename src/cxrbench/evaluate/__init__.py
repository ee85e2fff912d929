"""Predictions to result tables; never imports torch, so that results can be re-analysed on any laptop."""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from cxrbench.evaluate.study import evaluate_study

__all__ = ["evaluate_study"]


class _Callable(ModuleType):
    """A room that answers for the function of the same name: ``cxrbench.evaluate`` is both."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Measure one model: see ``cxrbench.interface.assessment.evaluate``."""
        return import_module("cxrbench.interface.assessment").evaluate(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
