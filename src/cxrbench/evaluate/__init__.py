"""Predictions to result tables; never imports torch, so that results can be re-analysed on any laptop."""

from cxrbench.evaluate.study import evaluate_study

__all__ = ["evaluate_study"]
