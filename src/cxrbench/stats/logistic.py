"""Logistic regression on one variable: how probabilities must be bent to fit what was found."""

import numpy as np
from numpy.typing import NDArray

from cxrbench.stats.bootstrap import Resamples, sum_replicates

Numbers = NDArray[np.float64]

MAX_STEPS = 50
TOLERANCE = 1e-8
"""Of the last step, relative to the coefficients: what it leaves is of the order of its square."""
SURE = 1.5
"""A Newton step that changes no logit by more than this gains likelihood: doi:10.1214/09-EJS521, proposition 1."""


def fit_line(logits: Numbers, targets: Numbers) -> tuple[float, float]:
    """Intercept and slope that make ``expit(intercept + slope * logits)`` most likely; NaN if no finite ones do.

    Args:
        logits: (N,).
        targets: (N,) truth, or probabilities of it.
    """
    design = np.stack([np.ones_like(logits), logits])
    intercept, slope = _newton(design, np.zeros_like(logits), targets, start=(0.0, 1.0))
    return float(intercept), float(slope)


def fit_intercept(logits: Numbers, targets: Numbers) -> float:
    """Intercept beside a slope of one; NaN if no finite one is most likely."""
    return float(_newton(np.ones((1, len(logits))), logits, targets, start=(0.0,))[0])


def fit_slope(logits: Numbers, targets: Numbers) -> float:
    """Slope without an intercept; NaN if no finite one is most likely."""
    return float(_newton(logits[None], np.zeros_like(logits), targets, start=(1.0,))[0])


def refit(design: Numbers, logits: Numbers, targets: NDArray[np.float64 | np.bool_], resamples: Resamples) -> Numbers:
    """What each replicate changes in coefficients fitted to the whole sample, (B, F); NaN where it does not say.

    Two Newton steps, the second from the curvature's own change; all that enters them are sums over images. The rest
    is of third order in the change, far below the spread of the replicates.

    Args:
        design: (F, N) variables.
        logits: (N,) fitted.
        targets: (N,) truth.
        resamples: Of the same N images.
    """
    fitted = _expit(logits)
    weight = fitted * (1 - fitted)
    f, n = design.shape
    squares, cubes = (np.einsum(rule, *[design] * k) for k, rule in ((2, "fn,gn->fgn"), (3, "fn,gn,hn->fghn")))
    rows = (design * (targets - fitted), squares * weight, cubes * (weight * (1 - 2 * fitted)))
    sums = sum_replicates(np.concatenate([part.reshape(-1, n) for part in rows]).T, resamples)
    gradient, curvature, change = np.split(sums, [f, f + f**2], axis=1)
    first = _solved(curvature.reshape(-1, f, f), gradient)
    bend = np.einsum("bfgh,bh->bfg", change.reshape(-1, f, f, f), first)
    return first + _solved(curvature.reshape(-1, f, f) + bend, -np.einsum("bfg,bg->bf", bend, first) / 2)


def _solved(matrices: Numbers, right: Numbers) -> Numbers:
    """Solutions (B, F) of B small systems; NaN for those that have none."""
    is_regular = np.linalg.det(matrices) > 0
    safe = np.where(is_regular[:, None, None], matrices, np.eye(right.shape[1]))
    return np.where(is_regular[:, None], np.linalg.solve(safe, right[..., None])[..., 0], np.nan)


def _newton(design: Numbers, offset: Numbers, targets: Numbers, *, start: tuple[float, ...]) -> Numbers:
    """Coefficients (F,) of the rows of ``design`` (F, N) by Newton's method, halving steps that lose likelihood."""
    beta: Numbers = np.array(start)
    for _ in range(MAX_STEPS):
        eta = offset + beta @ design
        fitted = _expit(eta)
        hessian = (design * (fitted * (1 - fitted))) @ design.T
        if np.linalg.cond(hessian) > 1 / np.finfo(float).eps:
            break
        step = np.asarray(np.linalg.solve(hessian, design @ (targets - fitted)), dtype=np.float64)
        step *= _share_that_gains(step @ design, eta, targets)
        beta += step
        if np.abs(step).max() < TOLERANCE * (1 + np.abs(beta).max()):
            return beta
    return np.full(len(design), np.nan)


def _share_that_gains(change: Numbers, eta: Numbers, targets: Numbers) -> float:
    """Largest of 1, 1/2, 1/4, ... of a step's ``change`` of the logits ``eta`` (N,) that loses no likelihood."""
    share, largest = 1.0, float(np.abs(change).max())
    before = _deviance(eta, targets) if largest > SURE else 0.0
    while share * largest > SURE and _deviance(eta + share * change, targets) > before:
        share /= 2
    return share


def _deviance(eta: Numbers, targets: Numbers) -> float:
    """Minus the log-likelihood, per image."""
    return float((np.maximum(eta, 0) + np.log1p(np.exp(-np.abs(eta))) - targets * eta).mean())


def _expit(eta: Numbers) -> Numbers:
    """Logistic function, several times faster than SciPy's."""
    with np.errstate(over="ignore"):  # far below zero it is 1 / infinity
        return np.asarray(1 / (1 + np.exp(-eta)))
