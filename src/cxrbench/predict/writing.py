"""Predictions -> a file: Parquet, CSV or JSON; of the patient it holds the path alone."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from cxrbench.bundle import Bundle
from cxrbench.errors import ConfigError
from cxrbench.files import atomic_file, try_file, write_json
from cxrbench.predict.prediction import Answer, Prediction

FORMATS = (".parquet", ".csv", ".json")
CALIBRATED, PRESENT, PERCENTILE = " calibrated", " present", " percentile"
"""What follows a finding's name in the columns beside its probability, which bears the bare name."""
SEPARATOR = "; "


def check_format(path: Path) -> None:
    """Refuse a file whose name asks for no format that is written.

    Raises:
        ConfigError: The formats that are.
    """
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"--out {path}: unknown format {path.suffix!r}; valid: {', '.join(FORMATS)}")


def check_place(path: Path) -> None:
    """Refuse what predictions could not be written to, before they are made; makes the folder if need be.

    Raises:
        ConfigError: No such format, a folder, or a place where no file can be made.
    """
    check_format(path)
    try:
        try_file(path)
    except OSError as error:
        raise ConfigError(
            f"--out {path}: cannot be written ({error.strerror or error}); choose another place"
        ) from None


def write_predictions(path: Path, bundle: Bundle, predictions: Sequence[Prediction]) -> None:
    """Write all predictions; the suffix says how.

    Raises:
        ConfigError: No such format.
    """
    check_format(path)
    if path.suffix.lower() == ".json":
        write_json(path, as_document(bundle, predictions))
        return
    table = as_table(bundle, predictions)
    with atomic_file(path) as scratch:
        if path.suffix.lower() == ".csv":
            table.write_csv(scratch)
        else:
            table.write_parquet(scratch)


def as_table(bundle: Bundle, predictions: Iterable[Prediction]) -> pl.DataFrame:
    """One row per file: ``path, error, warnings``, then the numbers of each finding.

    These are its probability, whether that is calibrated or the network's own output, its presence and percentile.
    """
    schema: dict[str, Any] = {"path": pl.String, "error": pl.String, "warnings": pl.String}
    for finding in bundle.answered:
        schema |= {
            finding: pl.Float64,
            finding + CALIBRATED: pl.Boolean,
            finding + PRESENT: pl.Boolean,
            finding + PERCENTILE: pl.Float64,
        }
    return pl.DataFrame([_row(bundle, one) for one in predictions], schema=schema)


def _row(bundle: Bundle, prediction: Prediction) -> dict[str, Any]:
    row: dict[str, Any] = {"path": prediction.path, "error": prediction.error}
    answer = prediction.answer
    if answer is None:
        return row
    row["warnings"] = SEPARATOR.join(answer.warnings) or None
    for i, finding in enumerate(bundle.answered):
        row[finding] = float(answer.probabilities[i])
        row[finding + CALIBRATED] = bundle.is_calibrated(finding)
        row[finding + PRESENT] = answer.is_present[i]
        row[finding + PERCENTILE] = round(float(answer.percentiles[i]), 2)
    return row


def as_document(bundle: Bundle, predictions: Iterable[Prediction]) -> dict[str, Any]:
    """The predictions as a JSON value, with what is needed to read them."""
    return {
        "bundle": bundle.digest,
        "notices": list(bundle.record.notices),
        "not_answered": bundle.record.unanswered,
        "findings": {finding: _reading(bundle, finding) for finding in bundle.answered},
        "predictions": [_entry(bundle, one) for one in predictions],
    }


def _reading(bundle: Bundle, finding: str) -> dict[str, Any]:
    """How one finding's numbers are meant."""
    decision = bundle.record.decisions[finding]
    return {"threshold": decision.threshold, "rule": decision.rule, "is_calibrated": bundle.is_calibrated(finding)}


def _entry(bundle: Bundle, prediction: Prediction) -> dict[str, Any]:
    if prediction.answer is None:
        return {"path": prediction.path, "error": prediction.error}
    answer = prediction.answer
    return {
        "path": prediction.path,
        "warnings": list(answer.warnings),
        "findings": {finding: _numbers(bundle, answer, i) for i, finding in enumerate(bundle.answered)},
    }


def _numbers(bundle: Bundle, answer: Answer, column: int) -> dict[str, Any]:
    """One finding of one film; logits are those of the members."""
    return {
        "probability": float(answer.probabilities[column]),
        "is_calibrated": bundle.is_calibrated(bundle.answered[column]),
        "is_present": answer.is_present[column],
        "percentile": round(float(answer.percentiles[column]), 2),
        "logits": [float(value) for value in answer.logits[:, column]],
    }
