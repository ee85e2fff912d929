"""Several models as one: the mean of what their members say about the same test images."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import polars as pl

from cxrbench.evaluate.discrimination import MEAN, NEW_PATIENTS, known
from cxrbench.evaluate.probabilities import RUN_COLUMNS
from cxrbench.evaluate.reading import NOT_STATED, HeldOut, Scores
from cxrbench.stats.clustered import auc_estimate
from cxrbench.stats.ensembles import mean_probability, mean_rank
from cxrbench.stats.joint import joint_aucs

EVERY_APPROACH = "all approaches"
WAYS = {"probability": mean_probability, "rank": mean_rank}
ENSEMBLE_SCHEMA = {
    "split": RUN_COLUMNS["split"],
    "kind": RUN_COLUMNS["kind"],
    "ensemble": pl.String,
    "members": pl.Int64,
    "mean_of": pl.String,
    "finding": pl.String,
    "question": pl.String,
    "positives": pl.Int64,
    "positive_patients": pl.Int64,
    "auc": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "inflation": pl.Float64,
    "reason": pl.String,
}


def ensemble_table(truth: HeldOut, scores: Sequence[Scores]) -> pl.DataFrame:
    """AUCs of the ensembles that one split allows: all approaches, and the seeds of each.

    Args:
        truth: The test images.
        scores: The runs on this split.
    """
    labels = np.where(truth.labels == NOT_STATED, np.nan, truth.labels)
    rows = [
        {
            "split": truth.split,
            "kind": truth.kind,
            "ensemble": name,
            "members": len(members),
            "mean_of": way,
            "finding": finding,
            "question": NEW_PATIENTS,
            **values,
        }
        for name, members in _ensembles(scores)
        for way, combine in WAYS.items()
        for finding, values in _aucs(truth, combine(np.stack([run.logits for run in members])), labels)
    ]
    return pl.DataFrame(rows, schema=ENSEMBLE_SCHEMA)


def _ensembles(scores: Sequence[Scores]) -> Iterator[tuple[str, list[Scores]]]:
    """Name and members of those with two members or more."""
    by_approach = sorted(scores, key=lambda run: run.run)
    groups = [(name, list(of)) for name, of in groupby(by_approach, key=lambda run: run.run.approach)]
    if len(groups) > 1:
        yield EVERY_APPROACH, by_approach
    for name, members in groups:
        if len(members) > 1:
            yield f"seeds of {name}", members


def _aucs(truth: HeldOut, combined: np.ndarray, labels: np.ndarray) -> Iterator[tuple[str, dict[str, Any]]]:
    """AUC of every finding and their mean, with intervals for new patients."""
    joint = joint_aucs(combined, labels, truth.codes)
    columns = {finding: [column] for column, finding in enumerate(truth.findings)}
    columns[MEAN] = [truth.findings.index(name) for name in truth.pathologies]
    for finding, chosen in columns.items():
        estimate = auc_estimate(joint, chosen)
        yield (
            finding,
            {
                "positives": estimate.positives,
                "positive_patients": estimate.positive_patients,
                "auc": known(estimate.estimate),
                "lower": known(estimate.lower),
                "upper": known(estimate.upper),
                "inflation": known(estimate.inflation),
                "reason": estimate.reason,
            },
        )
