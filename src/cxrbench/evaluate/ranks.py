"""How approaches rank on average, and if two of them order the images alike."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from cxrbench.evaluate.columns import (
    ALL,
    APPROACH,
    APPROACH_A,
    APPROACH_B,
    FINDING,
    INTERVAL,
    KIND,
    MEAN,
    QUESTION,
    REASON,
    SEEN,
    SPLITS,
    count,
    known,
    names_of,
    number,
)
from cxrbench.evaluate.held_out import HeldOut, Scores
from cxrbench.evaluate.replicates import NO_REPLICATES, Drawn, Key, Measures, averaged, interval
from cxrbench.results import ResultTable
from cxrbench.stats.bootstrap import Resamples
from cxrbench.stats.clustered import MIN_PATIENTS
from cxrbench.stats.critical_difference import compare_ranks
from cxrbench.stats.ranking import spearman_matrix, spearman_replicates

STANDING_TABLE = ResultTable(
    "standing.csv",
    "One row per kind of split and approach; none where there is one approach.",
    (
        KIND,
        APPROACH,
        number("mean_rank", "Mean rank over the blocks, 1 being the best."),
        count("blocks", "Pairs of pathology and split on which every approach has an AUC."),
        number("critical_difference", "Nemenyi's critical difference of two mean ranks at 5 %."),
        SEEN,
    ),
)
RANK_CORRELATION_TABLE = ResultTable(
    "rank_correlation.csv",
    "One row per kind of split, pair of approaches and finding; an approach with itself is two of its seeds.",
    (
        KIND,
        APPROACH_A,
        APPROACH_B,
        FINDING,
        number("spearman", "Spearman's rank correlation of the outputs, -1 to 1; empty where all of one are equal."),
        number("sd", "Its standard deviation over the splits; empty for one split."),
        SPLITS,
        QUESTION,
        *INTERVAL,
        REASON,
        SEEN,
    ),
)
REPLICATES = 200
"""Replicates of the patient bootstrap; every one is ranked anew, for every pair of runs."""


def standing_table(auc: pl.DataFrame, pathologies: Sequence[str]) -> pl.DataFrame:
    """Return the mean rank of every approach, 1 being the best, over the pathologies of all splits of a kind.

    A block is a finding on a split on which every approach has an AUC; seeds are averaged first. The critical
    difference is made for independent blocks, which these are not, so it only describes.

    Args:
        auc: ``auc_table`` of all runs.
        pathologies: Findings that count.
    """
    measured = auc.filter((pl.col("group") == ALL) & pl.col("finding").is_in(pathologies))
    kinds = measured["kind"].unique(maintain_order=True)
    return STANDING_TABLE.frame(
        row for kind in kinds for row in _standing(measured.filter(pl.col("kind") == kind), kind)
    )


def _standing(auc: pl.DataFrame, kind: str) -> list[dict[str, Any]]:
    """Return the rows of one kind of split; none where there is one approach or no common block."""
    by_approach = auc.pivot("approach", index=["split", "finding"], values="auc", aggregate_function="mean")
    blocks = by_approach.drop("split", "finding").drop_nulls()
    if blocks.width < 2 or not blocks.height:
        return []
    compared = compare_ranks(blocks.to_numpy())
    shared = {"kind": kind, "blocks": compared.n_blocks, "critical_difference": compared.critical_difference}
    return [
        {**shared, "approach": name, "mean_rank": rank}
        for name, rank in zip(blocks.columns, compared.mean_ranks, strict=True)
    ]


def rank_measures(truth: HeldOut, scores: Sequence[Scores], resamples: Resamples | None) -> dict[Key, Drawn]:
    """Return the rank correlation of all pairs of runs of one split, per finding and on average over the pathologies.

    Two seeds of one approach are a pair too: they show how alike two approaches can be at best. Several pairs of runs
    of the same two approaches are averaged. A run whose outputs are all equal has no order, hence NaN.

    Returns:
        Kind, two approaches and finding -> correlation.
    """
    columns = {
        finding: np.stack([run.logits[:, column] for run in scores], axis=1)
        for column, finding in enumerate(truth.findings)
    }
    matrices = {finding: spearman_matrix(own) for finding, own in columns.items()}
    replicates = {finding: _replicates(own, resamples) for finding, own in columns.items()}
    matrices[MEAN] = np.mean([matrices[name] for name in truth.pathologies], axis=0)
    replicates[MEAN] = np.mean([replicates[name] for name in truth.pathologies], axis=0)
    return averaged(
        {
            (truth.kind, scores[a].run.approach, scores[b].run.approach, finding): Drawn(
                float(matrix[a, b]), replicates[finding][:, a, b]
            )
        }
        for finding, matrix in matrices.items()
        for a, b in combinations(range(len(scores)), 2)
    )


def _replicates(columns: np.ndarray, resamples: Resamples | None) -> np.ndarray:
    """Return correlations (B, K, K) of the columns (N, K)."""
    k = columns.shape[1]
    if resamples is None:
        return np.empty((0, k, k), NO_REPLICATES.dtype)
    if len(resamples.multiplicities) < MIN_PATIENTS:
        return np.full((1, k, k), np.nan, NO_REPLICATES.dtype)
    return spearman_replicates(columns, resamples.first(REPLICATES)).astype(NO_REPLICATES.dtype)


def rank_table(by_split: Sequence[Measures]) -> pl.DataFrame:
    """Average over splits, never pooled, since splits share no scale; with the SD over them and an interval.

    Args:
        by_split: ``rank_measures`` of each split.
    """
    rows = []
    for key, mean in averaged(by_split).items():
        found, values = interval(mean), [split[key].value for split in by_split if key in split]
        sd = float(np.std(values, ddof=1)) if len(values) > 1 else np.nan
        reason = "all outputs of one are equal" if found.value is None else found.reason
        named = dict(zip(names_of((KIND, APPROACH_A, APPROACH_B, FINDING)), key, strict=True))
        values_of = {"spearman": found.value, "sd": known(sd), "splits": mean.number, "question": found.question}
        rows.append({**named, **values_of, "lower": found.lower, "upper": found.upper, "reason": reason})
    return RANK_CORRELATION_TABLE.frame(rows)
