"""Do two approaches order the images alike? Spearman's rank correlation of their outputs."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import polars as pl

from cxrbench.evaluate.discrimination import MEAN
from cxrbench.evaluate.reading import HeldOut, Scores
from cxrbench.findings import NO_FINDING
from cxrbench.stats.ranking import spearman_matrix

PAIR_NAMES = ("kind", "approach_a", "approach_b", "finding")


def rank_table(truth: HeldOut, scores: Sequence[Scores]) -> pl.DataFrame:
    """Rank correlation of all pairs of runs of one split, per finding and on average over the pathologies.

    Two seeds of one approach are a pair too: they show how alike two approaches can be at best.
    A run whose outputs are all equal has no order, hence null.
    """
    matrices = {
        finding: spearman_matrix(np.stack([run.logits[:, column] for run in scores], axis=1))
        for column, finding in enumerate(truth.findings)
    }
    pathologies = [matrix for finding, matrix in matrices.items() if finding != NO_FINDING]
    matrices[MEAN] = np.mean(pathologies, axis=0)
    rows = [
        (truth.split, truth.kind, scores[a].run.approach, scores[b].run.approach, finding, matrix[a, b])
        for finding, matrix in matrices.items()
        for a, b in combinations(range(len(scores)), 2)
    ]
    schema = {**dict.fromkeys(("split", *PAIR_NAMES), pl.String), "spearman": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.col("spearman").fill_nan(None))


def mean_ranks(pairs: pl.DataFrame) -> pl.DataFrame:
    """Average over the splits of one kind, seeds on one split first; never pooled, since splits share no scale."""
    per_split = pairs.group_by(*PAIR_NAMES, "split", maintain_order=True).agg(pl.col("spearman").mean())
    return per_split.group_by(PAIR_NAMES, maintain_order=True).agg(
        pl.col("spearman").mean(),
        pl.col("spearman").std().alias("sd"),
        pl.col("spearman").count().cast(pl.Int64).alias("splits"),
    )
