"""Logits of a bundle's members -> probabilities, decisions, percentiles."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cxrbench.bundle.record import PERCENTS, Calibration, Decision, Member
from cxrbench.stats.calibrators import SigmoidCalibrator

Numbers = NDArray[np.float64]


def mean_probability(members: Sequence[Member], findings: tuple[str, ...], logits: NDArray[np.floating]) -> Numbers:
    """Mean over the members of each one's calibrated probability.

    Args:
        members: M of them.
        findings: L names, in the order of the logits.
        logits: (M, N, L).

    Returns:
        (N, L) in 0..1.
    """
    if logits.ndim != 3 or logits.shape[::2] != (len(members), len(findings)):
        raise ValueError(f"logits need shape ({len(members)}, N, {len(findings)}); got {logits.shape}")
    each = [calibrated(own, findings, member.calibrations) for own, member in zip(logits, members, strict=True)]
    return np.asarray(np.mean(each, axis=0))


def calibrated(
    logits: NDArray[np.floating], findings: tuple[str, ...], calibrations: Mapping[str, Calibration]
) -> Numbers:
    """Probabilities (N, L) of one member's logits (N, L)."""
    own = [calibrations[finding] for finding in findings]
    columns = [SigmoidCalibrator(one.slope, one.intercept)(logits[:, i]) for i, one in enumerate(own)]
    return np.stack(columns, axis=1)


def quantiles_of(probabilities: Numbers) -> tuple[float, ...]:
    """0, 1 ... 100 % of (N,) probabilities."""
    return tuple(np.percentile(probabilities, PERCENTS).tolist())


def percentiles(probabilities: Numbers, findings: tuple[str, ...], decisions: Mapping[str, Decision]) -> Numbers:
    """Where (N, L) probabilities lie among those of the validation part, in 0..100."""
    columns = [
        _percentile(probabilities[:, i], np.array(decisions[finding].quantiles)) for i, finding in enumerate(findings)
    ]
    return np.stack(columns, axis=1)


def _percentile(values: Numbers, quantiles: Numbers) -> Numbers:
    """Percent of each value; the middle where several quantiles are equal to it, interpolated elsewhere."""
    first, behind = (np.searchsorted(quantiles, values, side=side) for side in ("left", "right"))
    return np.where(behind > first, (first + behind - 1) / 2, np.interp(values, quantiles, PERCENTS))


def is_present(
    probabilities: Numbers, findings: tuple[str, ...], decisions: Mapping[str, Decision]
) -> list[tuple[bool | None, ...]]:
    """Per film and finding whether the probability reaches the threshold; None where there is none."""
    thresholds = [decisions[finding].threshold for finding in findings]
    return [
        tuple(None if limit is None else bool(value >= limit) for value, limit in zip(row, thresholds, strict=True))
        for row in probabilities
    ]
