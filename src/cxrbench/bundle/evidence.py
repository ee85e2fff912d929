"""What validation and test images say about the members on one split: calibration, thresholds, results."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.special import logit

from cxrbench.bundle.answers import Numbers, calibrated, quantiles_of
from cxrbench.bundle.record import Calibration, Decision, TestResult
from cxrbench.evaluate.calibration import PLATT, Calibrations, fit_calibrations, operation_table
from cxrbench.evaluate.discrimination import auc_table, count_table, grouped_aucs
from cxrbench.evaluate.held_out import HeldOut, Scores, SplitRuns, no_auc_reason
from cxrbench.evaluate.reading import read_split_runs
from cxrbench.runs import RunName
from cxrbench.splits import Split
from cxrbench.stats.operating_points import youden_threshold

ALL = "all"
CLIP = 1e-12
NO_BETTER_THAN_CHANCE = (
    "on validation images it ranks no better than chance: the slope of Platt's method is not positive"
)


@dataclass(frozen=True)
class Evidence:
    """The members that were trained on one split, as validation and test images show them."""

    split: str
    calibrations: dict[RunName, dict[str, Calibration]]
    decisions: dict[str, Decision]
    test: tuple[TestResult, ...]


def read_evidence(study: Path, table: pl.DataFrame, split: Split, runs: Sequence[RunName]) -> Evidence:
    """Calibrate each run and choose thresholds on the split's validation part, then measure on its test part.

    Raises:
        StudyError: The runs' predictions cannot be used.
    """
    own = read_split_runs(study, table, split, runs)
    findings = own.validation.findings
    calibrations = {scores.run: _calibrations(own.validation, scores) for scores in own.scores}
    validation, test = (
        np.mean([calibrated(logits, findings, calibrations[run]) for run, logits in part], axis=0)
        for part in (_of_validation(own), [(scores.run, scores.logits) for scores in own.scores])
    )
    decisions = {name: _decision(own.validation, validation, i) for i, name in enumerate(findings)}
    is_one = len(own.scores) == 1  # its logits say the same, and have no ties where probabilities come close to 0
    scores = own.scores[0] if is_one else Scores(runs[0], _logits(test), _logits(validation))
    return Evidence(split.name, calibrations, decisions, _results(own, scores))


def _logits(probabilities: Numbers) -> Numbers:
    """Logits of probabilities, finite where they are 0 or 1 in double precision."""
    return np.asarray(logit(probabilities.clip(CLIP, 1 - CLIP)))


def _of_validation(own: SplitRuns) -> list[tuple[RunName, np.ndarray]]:
    return [(scores.run, scores.require_validation()) for scores in own.scores]


def _calibrations(validation: HeldOut, scores: Scores) -> dict[str, Calibration]:
    fitted = fit_calibrations(validation, scores.require_validation())
    return {finding: _calibration(fitted, finding) for finding in validation.findings}


def _calibration(fitted: Calibrations, finding: str) -> Calibration:
    """Platt's method, or the outputs as they are where it cannot be fitted or would turn them round."""
    one = fitted.fitted[finding].get(PLATT)
    if one is None:
        return Calibration(reason=f"validation part: {fitted.reasons[finding]}")
    if not one.slope > 0:  # type: ignore[union-attr]
        return Calibration(reason=NO_BETTER_THAN_CHANCE)
    return Calibration(slope=one.slope, intercept=one.intercept)  # type: ignore[union-attr]


def _decision(validation: HeldOut, probabilities: Numbers, column: int) -> Decision:
    """Youden's threshold of one finding, and the quantiles of all validation images."""
    values, present = validation.stated(probabilities, column)
    quantiles = quantiles_of(probabilities[:, column])
    if reason := no_auc_reason(present):
        return Decision(threshold=None, quantiles=quantiles, reason=f"validation part: {reason}")
    return Decision(threshold=youden_threshold(values, present), quantiles=quantiles)


def _results(own: SplitRuns, scores: Scores) -> tuple[TestResult, ...]:
    """AUC, and sensitivity and specificity at the threshold, of every finding and of the mean."""
    everyone = {ALL: np.ones(own.test.images.height, dtype=bool)}
    aucs = auc_table(
        own.test, scores.run.approach, grouped_aucs(own.test, [scores], everyone), count_table(own.test, everyone)
    )
    points = operation_table(own.test, own.validation, scores).filter(pl.col("rule") == "youden")
    at_threshold = {row["finding"]: row for row in points.iter_rows(named=True)}
    return tuple(_result(row, at_threshold.get(row["finding"], {})) for row in aucs.iter_rows(named=True))


def _result(auc: dict[str, Any], point: dict[str, Any]) -> TestResult:
    shares = [f"{name}{end}" for name in ("sensitivity", "specificity") for end in ("", "_lower", "_upper")]
    return TestResult(
        split=auc["split"],
        finding=auc["finding"],
        images=auc["images"],
        positives=auc["positives"],
        auc=auc["auc"],
        auc_lower=auc["lower"],
        auc_upper=auc["upper"],
        auc_reason=auc["reason"],
        **{share: point.get(share) for share in shares},
    )


def joined_decisions(evidences: Sequence[Evidence]) -> dict[str, Decision]:
    """Decisions of members of several splits, whose validation patients differ: means of thresholds and quantiles."""
    if len(evidences) == 1:
        return evidences[0].decisions
    return {name: _joined([one.decisions[name] for one in evidences]) for name in evidences[0].decisions}


def _joined(decisions: Sequence[Decision]) -> Decision:
    quantiles = np.mean([one.quantiles for one in decisions], axis=0)
    reason = next((one.reason for one in decisions if one.reason), None)
    thresholds = [one.threshold for one in decisions if one.threshold is not None]
    threshold = None if reason else float(np.mean(thresholds))
    return Decision(threshold=threshold, quantiles=tuple(quantiles.tolist()), reason=reason)
