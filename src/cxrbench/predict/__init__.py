"""Bundle and films -> answers."""

from cxrbench.predict.prediction import Answer, Prediction
from cxrbench.predict.predictor import Predictor
from cxrbench.predict.preparation import Prepared, Request, prepare_film

__all__ = ["Answer", "Prediction", "Predictor", "Prepared", "Request", "prepare_film"]
