"""How approaches rank on average: a description over findings and splits, which are not independent."""

from collections.abc import Sequence

import polars as pl

from cxrbench.evaluate.groups import ALL
from cxrbench.stats.critical_difference import compare_ranks

STANDING_SCHEMA = {
    "kind": pl.String,
    "approach": pl.String,
    "mean_rank": pl.Float64,
    "blocks": pl.Int64,
    "critical_difference": pl.Float64,
}


def standing_table(auc: pl.DataFrame, pathologies: Sequence[str]) -> pl.DataFrame:
    """Mean rank of every approach, 1 being the best, over the pathologies of all splits of a kind.

    A block is a finding on a split on which every approach has an AUC; seeds are averaged first. The critical
    difference is made for independent blocks, which these are not, so it only describes.

    Args:
        auc: ``auc_table`` of all runs.
        pathologies: Findings that count.
    """
    measured = auc.filter((pl.col("group") == ALL) & pl.col("finding").is_in(pathologies))
    kinds = measured["kind"].unique(maintain_order=True)
    rows = [row for kind in kinds for row in _standing(measured.filter(pl.col("kind") == kind), kind)]
    return pl.DataFrame(rows, schema=STANDING_SCHEMA, orient="row")


def _standing(auc: pl.DataFrame, kind: str) -> list[tuple[str, str, float, int, float]]:
    """One kind of split; nothing where there is one approach or no common block."""
    by_approach = auc.pivot("approach", index=["split", "finding"], values="auc", aggregate_function="mean")
    blocks = by_approach.drop("split", "finding").drop_nulls()
    if blocks.width < 2 or not blocks.height:
        return []
    compared = compare_ranks(blocks.to_numpy())
    return [
        (kind, name, rank, compared.n_blocks, compared.critical_difference)
        for name, rank in zip(blocks.columns, compared.mean_ranks, strict=True)
    ]
