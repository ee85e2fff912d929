"""How far probabilities can be taken at their word."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit

from cxrbench.stats.bootstrap import Numbers, Resamples, sum_replicates
from cxrbench.stats.clusters import numbered
from cxrbench.stats.logistic import fit_intercept, fit_line, refit
from cxrbench.stats.precision import average_precision, average_precision_replicates
from cxrbench.stats.roc import Truth, checked

BINS = 15
CLIP = 1e-7
"""Probabilities of 0 and 1 have no logit; they count as this far from it."""


def brier_skill(probabilities: ArrayLike, present: ArrayLike) -> float:
    """1 - mean squared error over that of always saying the prevalence of this sample.

    Source: doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
    """
    values, truth = checked_probabilities(probabilities, present)
    return float(1 - ((values - truth) ** 2).mean() / truth.var())


def brier_skill_replicates(probabilities: ArrayLike, present: ArrayLike, resamples: Resamples) -> Numbers:
    """Brier skill in every replicate, (B,); NaN where a class was not drawn."""
    values, truth = checked_probabilities(probabilities, present)
    errors, positives, images = sum_replicates(
        np.stack([(values - truth) ** 2, truth, np.ones(len(truth))], axis=1), resamples
    ).T
    reference = positives * (1 - positives / images)
    return np.asarray(1 - errors / np.where(reference > 0, reference, np.nan))


def calibration_slope(probabilities: ArrayLike, present: ArrayLike) -> float:
    """Slope of the logistic regression of the truth on the logit; 1 is right, below 1 too extreme.

    NaN where no finite slope is most likely: the probabilities separate the classes or are all equal.

    Source: doi:10.1093/biomet/45.3-4.562, doi:10.1186/s12916-019-1466-7.
    """
    values, truth = checked_probabilities(probabilities, present)
    return fit_line(_logits(values), truth.astype(np.float64))[1]


def calibration_intercept(probabilities: ArrayLike, present: ArrayLike) -> float:
    """Calibration in the large: what must be added to every logit so that as many are expected as were found."""
    values, truth = checked_probabilities(probabilities, present)
    return fit_intercept(_logits(values), truth.astype(np.float64))


def calibration_slope_replicates(probabilities: ArrayLike, present: ArrayLike, resamples: Resamples) -> Numbers:
    """Calibration slope in every replicate, (B,), without refitting: see ``logistic.refit``."""
    values, truth = checked_probabilities(probabilities, present)
    logits = _logits(values)
    line = np.array(fit_line(logits, truth.astype(np.float64)))
    if np.isnan(line).any():
        return np.full(resamples.replicates, np.nan)
    design = np.stack([np.ones_like(logits), logits])
    return np.asarray(refit(design, line @ design, truth, resamples)[:, 1] + line[1])


def calibration_intercept_replicates(probabilities: ArrayLike, present: ArrayLike, resamples: Resamples) -> Numbers:
    """Calibration in the large in every replicate, (B,), likewise."""
    values, truth = checked_probabilities(probabilities, present)
    logits = _logits(values)
    intercept = fit_intercept(logits, truth.astype(np.float64))
    design = np.ones((1, len(logits)))
    return np.asarray(refit(design, logits + intercept, truth, resamples)[:, 0] + intercept)


def calibration_error(probabilities: ArrayLike, present: ArrayLike, *, bins: int = BINS) -> float:
    """Expected calibration error: mean distance of expected and found share, over bins of equally many images.

    Chance alone makes it positive: read it beside ``calibration_error_if_perfect``.

    Source: doi:10.1609/aaai.v29i1.9602.
    """
    values, truth = checked_probabilities(probabilities, present)
    return float(np.abs(np.bincount(_bin(values, bins), weights=truth - values)).sum() / len(values))


def calibration_error_replicates(
    probabilities: ArrayLike, present: ArrayLike, resamples: Resamples, *, bins: int = BINS
) -> Numbers:
    """Expected calibration error in every replicate, (B,), over the bins of the whole sample."""
    values, truth = checked_probabilities(probabilities, present)
    in_bin = _bin(values, bins)[:, None] == np.arange(bins)
    sums = sum_replicates(np.column_stack([in_bin * (truth - values)[:, None], np.ones(len(values))]), resamples)
    return np.asarray(np.abs(sums[:, :-1]).sum(axis=1) / sums[:, -1])


def centred_calibration_error_replicates(probabilities: ArrayLike, present: ArrayLike, resamples: Resamples) -> Numbers:
    """Expected calibration error in every replicate, (B,), less what drawing adds on average; none is below 0.

    The error of the sample holds its noise; that of a replicate holds it twice, so that its percentiles lie too high.
    """
    drawn = calibration_error_replicates(probabilities, present, resamples)
    return np.asarray(np.maximum(drawn - (np.nanmean(drawn) - calibration_error(probabilities, present)), 0))


def calibration_error_if_perfect(
    probabilities: ArrayLike, present: ArrayLike, patients: ArrayLike, *, bins: int = BINS
) -> float:
    """The calibration error that chance alone would give on this sample, truths of one patient going together.

    A bin's sum of errors is about normal with mean zero; its variance is estimated from patients, after taking off the
    error that is common to the bin.
    """
    values, truth = checked_probabilities(probabilities, present)
    place, (code, n_patients) = _bin(values, bins), numbered(patients)
    sizes = np.bincount(place, minlength=bins)
    common = np.bincount(place, weights=truth - values, minlength=bins) / np.maximum(sizes, 1)
    of_patient = np.bincount(code * bins + place, weights=truth - values - common[place], minlength=n_patients * bins)
    variances = (of_patient.reshape(n_patients, bins) ** 2).sum(axis=0)
    return float(np.sqrt(2 / np.pi) * np.sqrt(variances).sum() / len(values))


def reliability(
    probabilities: ArrayLike, present: ArrayLike, *, bins: int = BINS
) -> tuple[Numbers, Numbers, NDArray[np.intp]]:
    """Mean probability, share found and number of images per bin of equally many images, for the calibration curve."""
    values, truth = checked_probabilities(probabilities, present)
    place = _bin(values, bins)
    sizes = np.bincount(place, minlength=bins)
    filled = sizes > 0
    expected, found = (np.bincount(place, weights=w, minlength=bins)[filled] / sizes[filled] for w in (values, truth))
    return expected, found, sizes[filled]


def checked_probabilities(probabilities: ArrayLike, present: ArrayLike) -> tuple[Numbers, Truth]:
    """Probabilities and truth, both (N,).

    Raises:
        ValueError: A probability lies outside 0..1 or is NaN, a label is neither 0 nor 1, or a class is absent.
    """
    values, truth = checked(probabilities, present)
    odd = np.flatnonzero(~((values >= 0) & (values <= 1)))
    if len(odd):
        raise ValueError(f"probabilities must lie in 0..1; row {odd[0]} is {values[odd[0]]}")
    return values.astype(np.float64), truth


def _bin(values: Numbers, bins: int) -> NDArray[np.intp]:
    """Bin (N,) of each probability: by rank, equal probabilities together."""
    edges = np.quantile(values, np.arange(1, bins) / bins)
    return np.searchsorted(edges, values)


def _logits(values: Numbers) -> Numbers:
    """Finite logits."""
    return np.asarray(logit(np.clip(values, CLIP, 1 - CLIP)))


MEASURES: Mapping[
    str, tuple[Callable[[ArrayLike, ArrayLike], float], Callable[[ArrayLike, ArrayLike, Resamples], Numbers]]
] = {
    "average_precision": (average_precision, average_precision_replicates),
    "brier_skill": (brier_skill, brier_skill_replicates),
    "slope": (calibration_slope, calibration_slope_replicates),
    "intercept": (calibration_intercept, calibration_intercept_replicates),
    "calibration_error": (calibration_error, centred_calibration_error_replicates),
}
"""What the probabilities of one finding are worth: each measure of probabilities and truth, and its replicates (B,)."""
