"""Several models as one: the mean of what their members say about the same test images."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import polars as pl

from cxrbench.evaluate.columns import (
    FINDING,
    INFLATION,
    INTERVAL,
    KIND,
    MEAN,
    NEW_PATIENTS,
    POSITIVE_PATIENTS,
    POSITIVES,
    QUESTION,
    REASON,
    SEEN,
    SPLIT,
    count,
    known_values,
    support,
    text,
)
from cxrbench.evaluate.discrimination import AUC
from cxrbench.evaluate.held_out import HeldOut, Scores
from cxrbench.results import ResultTable
from cxrbench.runs import RunName
from cxrbench.stats.clustered import auc_estimate
from cxrbench.stats.ensembles import mean_probability, mean_rank
from cxrbench.stats.joint import joint_aucs

EVERY_APPROACH, SEEDS_OF = "all approaches", "seeds of "
PROBABILITY, RANK = "probability", "rank"
Way = Callable[[np.ndarray], np.ndarray]
OF_LOGITS: Mapping[str, Way] = {PROBABILITY: mean_probability, RANK: mean_rank}
"""What an ensemble averages -> mean over members (M, N, L) of logits."""
OF_PROBABILITIES: Mapping[str, Way] = {PROBABILITY: lambda members: np.asarray(members.mean(axis=0)), RANK: mean_rank}
"""Likewise of probabilities."""

ESTIMATED = (AUC, *INTERVAL, INFLATION)
ENSEMBLES_TABLE = ResultTable(
    "ensembles.csv",
    "One row per split, ensemble, way of averaging and finding.",
    (
        SPLIT,
        KIND,
        text("ensemble", "`all approaches`, or the seeds of one approach."),
        count("members", "Models that are averaged."),
        text("mean_of", "What is averaged: `probability`, or `rank` within the test set."),
        FINDING,
        QUESTION,
        POSITIVES,
        POSITIVE_PATIENTS,
        *ESTIMATED,
        REASON,
        SEEN,
    ),
)


def ensemble_name(way: str) -> str:
    """Return the name of the ensemble of all files of predictions."""
    return f"ensemble ({way})"


def ensemble_of(scores: Sequence[Scores], way: str) -> Scores:
    """Return several models' probabilities of the same images as one model's."""
    run = RunName(ensemble_name(way), scores[0].run.split, 0)
    return Scores(run, OF_PROBABILITIES[way](np.stack([one.logits for one in scores])))


def ensemble_table(truth: HeldOut, scores: Sequence[Scores]) -> pl.DataFrame:
    """AUCs of the ensembles that one split allows: all approaches, and the seeds of each.

    Args:
        truth: The test images.
        scores: The runs on this split.
    """
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
        for way, combine in OF_LOGITS.items()
        for finding, values in _aucs(truth, combine(np.stack([run.logits for run in members])))
    ]
    return ENSEMBLES_TABLE.frame(rows)


def _ensembles(scores: Sequence[Scores]) -> Iterator[tuple[str, list[Scores]]]:
    """Name and members of those with two members or more."""
    by_approach = sorted(scores, key=lambda run: run.run)
    groups = [(name, list(of)) for name, of in groupby(by_approach, key=lambda run: run.run.approach)]
    if len(groups) > 1:
        yield EVERY_APPROACH, by_approach
    for name, members in groups:
        if len(members) > 1:
            yield SEEDS_OF + name, members


def _aucs(truth: HeldOut, combined: np.ndarray) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the AUC of every finding and of their mean, with intervals for new patients."""
    joint = joint_aucs(combined, truth.labels, truth.codes)
    for finding in (*truth.findings, MEAN):
        estimate = auc_estimate(joint, truth.columns(finding))
        values = known_values(estimate, ESTIMATED, auc="estimate")
        yield finding, {**support(estimate, finding), **values, "reason": estimate.reason}
