"""Do two approaches order the images alike? Spearman's rank correlation of their outputs."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import polars as pl

from cxrbench.evaluate.discrimination import MEAN, known
from cxrbench.evaluate.reading import HeldOut, Scores
from cxrbench.evaluate.replicates import NO_REPLICATES, Drawn, Key, Measures, averaged, interval
from cxrbench.stats.bootstrap import Resamples
from cxrbench.stats.clustered import MIN_PATIENTS
from cxrbench.stats.ranking import spearman_matrix, spearman_replicates

PAIR_NAMES = ("kind", "approach_a", "approach_b", "finding")
RANK_SCHEMA = {
    **dict.fromkeys(PAIR_NAMES, pl.String),
    "spearman": pl.Float64,
    "sd": pl.Float64,
    "splits": pl.Int64,
    "question": pl.String,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "reason": pl.String,
}
REPLICATES = 200
"""Of the patient bootstrap; every one is ranked anew, for every pair of runs."""


def rank_measures(truth: HeldOut, scores: Sequence[Scores], resamples: Resamples | None) -> dict[Key, Drawn]:
    """Rank correlation of all pairs of runs of one split, per finding and on average over the pathologies.

    Two seeds of one approach are a pair too: they show how alike two approaches can be at best. Several pairs of runs
    of the same two approaches are averaged. A run whose outputs are all equal has no order, hence NaN.

    Returns:
        Correlation of each of ``PAIR_NAMES``.
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
    """Correlations (B, K, K) of the columns (N, K)."""
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
        rows.append((*key, found.value, known(sd), mean.number, found.question, found.lower, found.upper, reason))
    return pl.DataFrame(rows, schema=RANK_SCHEMA, orient="row")
