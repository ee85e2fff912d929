"""Bundle and films -> answers.

Names are imported when they are asked for: decoding processes need few of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cxrbench.predict.backends import Backend
    from cxrbench.predict.gathering import gather
    from cxrbench.predict.prediction import Answer, Prediction
    from cxrbench.predict.predictor import Predictor
    from cxrbench.predict.preparation import Given, Prepared, Request, prepare_film
    from cxrbench.predict.writing import write_predictions

__all__ = [
    "Answer",
    "Backend",
    "Given",
    "Prediction",
    "Predictor",
    "Prepared",
    "Request",
    "gather",
    "prepare_film",
    "write_predictions",
]

_HOMES = {
    "Answer": "prediction",
    "Backend": "backends",
    "Given": "preparation",
    "Prediction": "prediction",
    "Predictor": "predictor",
    "Prepared": "preparation",
    "Request": "preparation",
    "gather": "gathering",
    "prepare_film": "preparation",
    "write_predictions": "writing",
}


def __getattr__(name: str) -> Any:
    """One of ``__all__``, from its module."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
