"""Logistic regression on one variable: how probabilities must be bent to fit what was found."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from cxrbench.stats.bootstrap import Resamples, sum_replicates

Numbers = NDArray[np.float64]

MAX_STEPS = 50
TOLERANCE = 1e-10


def fit_line(logits: Numbers, targets: Numbers) -> tuple[float, float]:
    """Intercept and slope that make ``expit(intercept + slope * logits)`` most likely; NaN if no finite ones do.

    Args:
        logits: (N,).
        targets: (N,) truth, or probabilities of it.
    """
    intercept, slope = _newton(np.stack([np.ones_like(logits), logits]), np.zeros_like(logits), targets)
    return float(intercept), float(slope)


def fit_intercept(logits: Numbers, targets: Numbers) -> float:
    """Intercept beside a slope of one; NaN if no finite one is most likely."""
    return float(_newton(np.ones((1, len(logits))), logits, targets)[0])


def fit_slope(logits: Numbers, targets: Numbers) -> float:
    """Slope without an intercept; NaN if no finite one is most likely."""
    return float(_newton(logits[None], np.zeros_like(logits), targets)[0])


def refit(design: Numbers, logits: Numbers, targets: NDArray[np.generic], resamples: Resamples) -> Numbers:
    """What each replicate changes in coefficients fitted to the whole sample, (B, F); NaN where it does not say.

    Two Newton steps, the second from the curvature's own change; all that enters them are sums over images. The rest
    is of third order in the change, far below the spread of the replicates.

    Args:
        design: (F, N) variables.
        logits: (N,) fitted.
        targets: (N,) truth.
        resamples: Of the same N images.
    """
    fitted = expit(logits)
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


def _newton(design: Numbers, offset: Numbers, targets: Numbers) -> Numbers:
    """Coefficients (F,) of the rows of ``design`` (F, N) by Newton's method, halving steps that lose likelihood."""
    beta = np.zeros(len(design))
    deviance = _deviance(offset, targets)
    for _ in range(MAX_STEPS):
        fitted = expit(offset + beta @ design)
        hessian = (design * (fitted * (1 - fitted))) @ design.T
        if np.linalg.cond(hessian) > 1 / np.finfo(float).eps:
            break
        step = np.linalg.solve(hessian, design @ (targets - fitted))
        while (tried := _deviance(offset + (beta + step) @ design, targets)) > deviance + TOLERANCE:
            step = step / 2
        beta, deviance = beta + step, tried
        if np.abs(step).max() < TOLERANCE * (1 + np.abs(beta).max()):
            return beta
    return np.full(len(design), np.nan)


def _deviance(eta: Numbers, targets: Numbers) -> float:
    """Minus the log-likelihood, per image."""
    return float((np.logaddexp(0, eta) - targets * eta).mean())
