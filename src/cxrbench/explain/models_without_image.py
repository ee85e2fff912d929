"""Findings from age, sex and view alone: the paper's multi-layer perceptron, and two plainer readers."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

Numbers = NDArray[np.float64]


def _perceptron(seed: int) -> Any:
    """One hidden layer; its width and optimiser are our reading, the paper names neither."""
    return MLPClassifier((32,), learning_rate_init=0.003, max_iter=40, random_state=seed)


def _logistic(_seed: int) -> Any:
    return LogisticRegression(C=1e6)  # three features: nothing to shrink


def _boosting(seed: int) -> Any:
    return HistGradientBoostingClassifier(max_iter=100, learning_rate=0.05, max_leaf_nodes=8, random_state=seed)


READERS: dict[str, Callable[[int], Any]] = {
    "perceptron": _perceptron,
    "logistic regression": _logistic,
    "gradient boosting": _boosting,
}


def score_without_image(
    reader: str, features: Numbers, labels: NDArray[np.floating], asked: Numbers, *, seed: int = 0
) -> Numbers:
    """Probabilities (M, L) of the findings, each learnt from the films whose label is stated.

    Args:
        reader: One of ``READERS``.
        features: (N, 3) of the training part, scaled.
        labels: (N, L) 1 present, 0 absent, NaN not stated.
        asked: (M, 3) of other films.
        seed: Of the reader.

    Returns:
        A finding that all or none of the training films have is a constant: there was nothing to learn.
    """
    chances = np.empty((len(asked), labels.shape[1]))
    for column, of_finding in enumerate(labels.T):
        stated = ~np.isnan(of_finding)
        present = of_finding[stated] == 1
        if not 0 < present.sum() < len(present):
            chances[:, column] = float(present.mean()) if len(present) else 0.5
            continue
        with warnings.catch_warnings():
            # The perceptron stops after a fixed number of epochs; three features need no more.
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted = READERS[reader](seed).fit(features[stated], present)
        chances[:, column] = fitted.predict_proba(asked)[:, 1]
    return chances
