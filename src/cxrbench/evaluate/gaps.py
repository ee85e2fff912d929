"""Gaps between groups of images: is a model worse on some of them?"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import polars as pl

from cxrbench.evaluate.discrimination import MEAN, NEW_PATIENTS, NEW_PATIENTS_OF_SEVERAL, GroupedAucs, known
from cxrbench.evaluate.groups import ALL, group_rows
from cxrbench.evaluate.reading import HeldOut
from cxrbench.stats.clustered import auc_difference

GAP_SCHEMA = {
    "approach": pl.String,
    "split": pl.String,
    "kind": pl.String,
    "seed": pl.Int64,
    "finding": pl.String,
    "group_a": pl.String,
    "group_b": pl.String,
    "question": pl.String,
    "positives": pl.Int64,
    "positive_patients": pl.Int64,
    "difference": pl.Float64,
    "std_error": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "p_value": pl.Float64,
    "inflation": pl.Float64,
    "smallest_detectable": pl.Float64,
    "findings_counted": pl.Int64,
    "reason": pl.String,
}


def gap_table(truth: HeldOut, approach: str, aucs: GroupedAucs, pairs: Sequence[tuple[str, str]]) -> pl.DataFrame:
    """AUC in one group less the AUC in another, on new patients, for the pairs that have images.

    Both sides of a mean are over the findings that both groups have; patients may be in both groups.
    """
    there = set(aucs.groups)
    head = {"approach": approach, "split": truth.split, "kind": truth.kind, "seed": aucs.seed}
    rows = [
        {
            **head,
            "finding": finding,
            "group_a": one,
            "group_b": other,
            "question": NEW_PATIENTS if len(aucs.seeds) == 1 else NEW_PATIENTS_OF_SEVERAL,
            **_gap(aucs, one, other, finding),
        }
        for one, other in pairs
        if {one, other} <= there
        for finding in (*aucs.findings, MEAN)
    ]
    return pl.DataFrame(rows, schema=GAP_SCHEMA)


def group_pairs(table: pl.DataFrame) -> list[tuple[str, str]]:
    """Every group with the largest of its kind in the whole table: views, sexes, ages."""
    sizes = {name: int(mask.sum()) for name, mask in group_rows(table).items() if name != ALL}
    pairs = []
    for _, members in groupby(sizes, key=lambda name: name.partition("=")[0]):
        names = list(members)
        largest = max(names, key=sizes.__getitem__)
        pairs += [(name, largest) for name in names if name != largest]
    return pairs


def _gap(aucs: GroupedAucs, one: str, other: str, finding: str) -> dict[str, Any]:
    """A difference as a row; what is not known is null."""
    gap = auc_difference(aucs.joint, aucs.columns(one, finding), aucs.columns(other, finding))
    return {
        "positives": gap.positives,
        "positive_patients": gap.positive_patients,
        "inflation": known(gap.inflation),
        "difference": known(gap.estimate),
        "std_error": known(gap.std_error),
        "lower": known(gap.lower),
        "upper": known(gap.upper),
        "p_value": known(gap.p_value),
        "smallest_detectable": known(gap.smallest_detectable),
        "findings_counted": gap.n_columns // len(aucs.seeds) if finding == MEAN else None,
        "reason": gap.reason,
    }
