"""How approaches rank on average: a description over findings and splits, which are not independent."""

import numpy as np
import polars as pl
from scipy.stats import rankdata, studentized_range  # type: ignore[attr-defined]

from cxrbench.evaluate.discrimination import MEAN
from cxrbench.evaluate.groups import ALL
from cxrbench.findings import NO_FINDING

STANDING_SCHEMA = {
    "kind": pl.String,
    "approach": pl.String,
    "mean_rank": pl.Float64,
    "blocks": pl.Int64,
    "critical_difference": pl.Float64,
}


def standing_table(auc: pl.DataFrame) -> pl.DataFrame:
    """Mean rank of every approach, 1 being the best, over the pathologies of all splits of a kind.

    A block is a finding on a split on which every approach has an AUC; seeds are averaged first. The critical
    difference is Nemenyi's at 5 %, as if blocks were independent; they are not, so it only describes.

    Args:
        auc: ``auc_table`` of all runs.

    Source: Demsar 2006, J Mach Learn Res 7:1-30, https://jmlr.org/papers/v7/demsar06a.html.
    """
    measured = auc.filter((pl.col("group") == ALL) & ~pl.col("finding").is_in([MEAN, NO_FINDING]))
    kinds = measured["kind"].unique(maintain_order=True)
    rows = [row for kind in kinds for row in _standing(measured.filter(pl.col("kind") == kind), kind)]
    return pl.DataFrame(rows, schema=STANDING_SCHEMA, orient="row")


def _standing(auc: pl.DataFrame, kind: str) -> list[tuple[str, str, float, int, float]]:
    """One kind of split; nothing where there is one approach or no common block."""
    by_approach = auc.pivot("approach", index=["split", "finding"], values="auc", aggregate_function="mean")
    blocks = by_approach.drop("split", "finding").drop_nulls()
    if blocks.width < 2 or not blocks.height:
        return []
    ranks = rankdata(-blocks.to_numpy(), axis=1).mean(axis=0)  # (approaches,)
    difference = critical_difference(blocks.width, blocks.height)
    return [
        (kind, name, float(rank), blocks.height, difference) for name, rank in zip(blocks.columns, ranks, strict=True)
    ]


def critical_difference(approaches: int, blocks: int) -> float:
    """Nemenyi's smallest difference of two mean ranks at 5 %."""
    quantile = studentized_range.ppf(0.95, approaches, np.inf) / np.sqrt(2)
    return float(quantile * np.sqrt(approaches * (approaches + 1) / (6 * blocks)))
