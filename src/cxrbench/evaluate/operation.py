"""Operating points: thresholds chosen on validation images, judged on test images."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from cxrbench.evaluate.calibrations import stated, stated_rows
from cxrbench.evaluate.discrimination import NEW_PATIENTS, known, no_auc_reason
from cxrbench.evaluate.probabilities import RUN_COLUMNS
from cxrbench.evaluate.reading import HeldOut, Scores
from cxrbench.stats.operating_points import (
    operating_point,
    sensitivity_threshold,
    specificity_threshold,
    youden_threshold,
)

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
OPERATION_SCHEMA = {
    **RUN_COLUMNS,
    "finding": pl.String,
    "question": pl.String,
    "positives": pl.Int64,
    "positive_patients": pl.Int64,
    "rule": pl.String,
    "threshold": pl.Float64,
    **{name + end: pl.Float64 for name in SHARES for end in ("", "_lower", "_upper")},
    "reason": pl.String,
}


def operation_table(test: HeldOut, validation: HeldOut, run: Scores) -> pl.DataFrame:
    """Sensitivity, specificity and predictive values of one run at each rule's threshold, a logit.

    Args:
        test: Test images.
        validation: Validation images, on which thresholds are chosen.
        run: Its scores of both.
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
    return pl.DataFrame(rows, schema=OPERATION_SCHEMA)


def _judged(
    test: HeldOut, validation: HeldOut, run: Scores, column: int, choose: Callable[[np.ndarray, np.ndarray], float]
) -> dict[str, Any]:
    """One finding at one rule's threshold, or why not."""
    if run.validation is None:
        raise ValueError(f"{run.run} has no validation scores to choose a threshold on")
    chosen_on, judged_on = stated(validation, run.validation, column), stated(test, run.logits, column)
    for part, (_, present) in (("validation", chosen_on), ("test", judged_on)):
        if reason := no_auc_reason(present):
            return {"reason": f"{part}: {reason}"}
    threshold = choose(*chosen_on)
    point = operating_point(*judged_on, test.codes[stated_rows(test, column)], threshold=threshold)
    found = point.sensitivity  # among the positive images
    row: dict[str, Any] = {"threshold": threshold, "positives": found.images, "positive_patients": found.patients}
    for name, attribute in SHARES.items():
        share = getattr(point, attribute)
        row |= {name: known(share.estimate), f"{name}_lower": known(share.lower), f"{name}_upper": known(share.upper)}
        row["reason"] = row.get("reason") or share.reason
    return row
