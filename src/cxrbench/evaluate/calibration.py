"""Calibrators and thresholds of each run, fitted on its validation images and judged on its test images."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from cxrbench.evaluate.columns import (
    NEW_PATIENTS,
    ONE_FINDING,
    QUESTION,
    REASON,
    RUN,
    SEEN,
    count,
    known,
    number,
    text,
)
from cxrbench.evaluate.held_out import HeldOut, Scores, no_auc_reason
from cxrbench.results import Column, ResultTable
from cxrbench.stats.calibrators import IsotonicCalibrator, SigmoidCalibrator, fit_isotonic, fit_platt, fit_temperature
from cxrbench.stats.operating_points import (
    operating_point,
    sensitivity_threshold,
    specificity_threshold,
    youden_threshold,
)

Calibrator = SigmoidCalibrator | IsotonicCalibrator

AS_THEY_ARE, PLATT = "none", "platt"
METHODS: dict[str, Callable[[np.ndarray, np.ndarray], Calibrator]] = {
    PLATT: fit_platt,
    "temperature": fit_temperature,
    "isotonic": fit_isotonic,
}


@dataclass(frozen=True)
class Calibrations:
    """Calibrators of one run."""

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
        values, present = validation.stated(logits, column)
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


RULES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "youden": youden_threshold,
    "sensitivity 90 %": partial(sensitivity_threshold, at_least=0.9),
    "specificity 90 %": partial(specificity_threshold, at_least=0.9),
}
SHARES = {
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ppv": "positive_predictive_value",
    "npv": "negative_predictive_value",
}


def _share_columns(name: str, meaning: str) -> tuple[Column, ...]:
    """Return a proportion's columns: its value and the ends of its 95 % interval."""
    return (
        number(name, f"{meaning}, 0 to 1; empty where it is not defined."),
        number(f"{name}_lower", f"Lower end of the 95 % interval of `{name}`, clustered by patient."),
        number(f"{name}_upper", "Its upper end."),
    )


OPERATION_TABLE = ResultTable(
    "operation.csv",
    "One row per run, finding and rule.",
    (
        *RUN,
        ONE_FINDING,
        QUESTION,
        count("positives", "Test images with the finding."),
        count("positive_patients", "Patients with such an image."),
        text("rule", "How the threshold was chosen on the validation images: `youden` (Youden's index), or a target."),
        number("threshold", "Threshold, a logit: the finding is called present at or above it."),
        *_share_columns("sensitivity", "Share of images with the finding that are called positive"),
        *_share_columns("specificity", "Share of images without the finding that are called negative"),
        *_share_columns("ppv", "Share of images called positive that have the finding"),
        *_share_columns("npv", "Share of images called negative that do not have the finding"),
        REASON,
        SEEN,
    ),
)


def operation_table(test: HeldOut, validation: HeldOut, run: Scores) -> pl.DataFrame:
    """Sensitivity, specificity and predictive values of one run at each rule's threshold, a logit.

    Args:
        test: Test images.
        validation: Validation images, on which thresholds are chosen.
        run: Scores of both by one run.
    """
    head = {"approach": run.run.approach, "split": test.split, "kind": test.kind, "seed": run.run.seed}
    rows = [
        {
            **head,
            "finding": finding,
            "question": NEW_PATIENTS,
            "rule": rule,
            **_judged(test, validation, run, column, choose),
        }
        for column, finding in enumerate(test.findings)
        for rule, choose in RULES.items()
    ]
    return OPERATION_TABLE.frame(rows)


def _judged(
    test: HeldOut, validation: HeldOut, run: Scores, column: int, choose: Callable[[np.ndarray, np.ndarray], float]
) -> dict[str, Any]:
    """Judge one finding at one rule's threshold, or say why not."""
    chosen_on = validation.stated(run.require_validation(), column)
    judged_on = test.stated(run.logits, column)
    for part, (_, present) in (("validation", chosen_on), ("test", judged_on)):
        if reason := no_auc_reason(present):
            return {"reason": f"{part}: {reason}"}
    threshold = choose(*chosen_on)
    point = operating_point(*judged_on, test.codes[test.stated_rows(column)], threshold=threshold)
    found = point.sensitivity  # among the positive images
    row: dict[str, Any] = {"threshold": threshold, "positives": found.images, "positive_patients": found.patients}
    for name, attribute in SHARES.items():
        share = getattr(point, attribute)
        row |= {name: known(share.estimate), f"{name}_lower": known(share.lower), f"{name}_upper": known(share.upper)}
        row["reason"] = row.get("reason") or share.reason
    return row
