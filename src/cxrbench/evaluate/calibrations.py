"""Calibration of each run's outputs, fitted on its validation images."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cxrbench.evaluate.reading import NOT_STATED, HeldOut
from cxrbench.stats.calibrators import IsotonicCalibrator, SigmoidCalibrator, fit_isotonic, fit_platt, fit_temperature

Calibrator = SigmoidCalibrator | IsotonicCalibrator

AS_THEY_ARE, PLATT = "none", "platt"
METHODS: dict[str, Callable[[np.ndarray, np.ndarray], Calibrator]] = {
    PLATT: fit_platt,
    "temperature": fit_temperature,
    "isotonic": fit_isotonic,
}


@dataclass(frozen=True)
class Calibrations:
    """One run's calibrators."""

    fitted: dict[str, dict[str, Calibrator]]
    """Finding -> method -> calibrator, where one could be fitted."""
    reasons: dict[str, str]
    """Finding -> why a method is missing."""

    def record(self) -> dict[str, Any]:
        """As a JSON value."""
        return {
            finding: {method: asdict(one) for method, one in of_finding.items()}
            | ({"reason": self.reasons[finding]} if finding in self.reasons else {})
            for finding, of_finding in self.fitted.items()
        }


def fit_calibrations(validation: HeldOut, logits: np.ndarray) -> Calibrations:
    """Fit every method to every finding, on validation images alone."""
    fitted: dict[str, dict[str, Calibrator]] = {}
    reasons: dict[str, str] = {}
    for column, finding in enumerate(validation.findings):
        values, present = stated(validation, logits, column)
        fitted[finding] = {}
        for method, fit in METHODS.items():
            try:
                fitted[finding][method] = fit(values.astype(np.float64), present)
            except ValueError as error:
                reasons[finding] = str(error)
    return Calibrations(fitted, reasons)


def calibrated(logits: np.ndarray, findings: tuple[str, ...], calibrations: Calibrations) -> np.ndarray:
    """Probabilities (N, L) by Platt's method; NaN for a finding that has none."""
    columns = [
        calibrations.fitted[finding][PLATT](logits[:, column])
        if PLATT in calibrations.fitted[finding]
        else np.full(len(logits), np.nan)
        for column, finding in enumerate(findings)
    ]
    return np.stack(columns, axis=1)


def stated(truth: HeldOut, values: np.ndarray, column: int) -> tuple[np.ndarray, np.ndarray]:
    """Values and truth of one finding, of the images whose label is stated."""
    rows = stated_rows(truth, column)
    return values[rows, column], truth.labels[rows, column] == 1


def stated_rows(truth: HeldOut, column: int) -> np.ndarray:
    """Images whose label is stated."""
    return np.flatnonzero(truth.labels[:, column] != NOT_STATED)
