"""Which of two approaches is better, and how sure that is."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from cxrbench.evaluate.groups import ALL
from cxrbench.splits import Split
from cxrbench.stats.comparison import corrected_resampled

NEW_TRAINING_SETS = "this recipe on new training sets"
CORRECTED = "corrected re-sampled t (Nadeau and Bengio)"
OFFICIAL = "official"

COMPARISON_SCHEMA = {
    "kind": pl.String,
    "approach_a": pl.String,
    "approach_b": pl.String,
    "finding": pl.String,
    "question": pl.String,
    "method": pl.String,
    "splits": pl.Int64,
    "difference": pl.Float64,
    "std_error": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "p_value": pl.Float64,
    "probability_practically_nil": pl.Float64,
    "reason": pl.String,
}


def resampled_comparisons(auc: pl.DataFrame, splits: Mapping[str, Split], approaches: Sequence[str]) -> pl.DataFrame:
    """All pairs of approaches over the re-samples (or folds) that both were trained on.

    Differences are approach a minus approach b; seeds on one split are averaged first. One official list is not
    re-sampled, so it has no row here.

    Args:
        auc: ``auc_table`` of all splits.
        splits: By name.
        approaches: Order in which they are paired.
    """
    resampled = auc.filter((pl.col("group") == ALL) & (pl.col("kind") != OFFICIAL))
    per_split = resampled.group_by("kind", "finding", "split", "approach", maintain_order=True).agg(
        pl.col("auc").mean()
    )
    rows = [
        {"kind": kind, "finding": finding, **_compare(one, splits, a, b)}
        for (kind, finding), one in per_split.group_by("kind", "finding", maintain_order=True)
        for a, b in combinations(approaches, 2)
    ]
    return pl.DataFrame(rows, schema=COMPARISON_SCHEMA)


def _compare(aucs: pl.DataFrame, splits: Mapping[str, Split], a: str, b: str) -> dict[str, Any]:
    """One pair on one finding: the corrected test over the splits in which both have an AUC."""
    both = (
        aucs.filter(pl.col("approach") == a)
        .join(aucs.filter(pl.col("approach") == b), on="split", maintain_order="left")
        .drop_nulls(["auc", "auc_right"])
    )
    differences = (both["auc"] - both["auc_right"]).to_numpy()
    row = {"approach_a": a, "approach_b": b, "question": NEW_TRAINING_SETS, "splits": both.height}
    if both.height < 2:
        mean = float(differences.mean()) if both.height else None
        return row | {"difference": mean, "reason": f"needs two splits or more, has {both.height}"}
    ratio = float(np.mean([_test_to_train(splits[name]) for name in both["split"]]))
    result = corrected_resampled(differences, test_to_train=ratio)
    return row | {
        "method": CORRECTED,
        "difference": result.difference,
        "std_error": result.std_error,
        "lower": result.lower,
        "upper": result.upper,
        "p_value": result.p_value,
        "probability_practically_nil": result.probability_practically_nil,
    }


def _test_to_train(split: Split) -> float:
    """Patients in test per patient in train: patients, since images of one patient are not independent."""
    return len(split.patients["test"]) / len(split.patients["train"])
