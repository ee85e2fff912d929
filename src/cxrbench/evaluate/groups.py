"""Groups of images by view position, sex and age, and gaps of AUC between them: is a model worse on some?"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
import polars as pl

from cxrbench.evaluate.columns import (
    ALL,
    FINDING,
    FINDINGS_COUNTED,
    INFLATION,
    INTERVAL,
    MEAN,
    P_VALUE,
    POSITIVE_PATIENTS,
    POSITIVES,
    QUESTION,
    REASON,
    RUN,
    SEEN,
    SMALLEST_DETECTABLE,
    STD_ERROR,
    known_values,
    number,
    support,
    text,
)
from cxrbench.evaluate.discrimination import GroupedAucs
from cxrbench.evaluate.held_out import HeldOut
from cxrbench.results import ResultTable
from cxrbench.stats.clustered import auc_difference

AGE_BANDS = ((0, 17), (18, 39), (40, 59), (60, 79), (80, 120))
"""Years, both ends included: children, three bands of adults, the very old."""

DIFFERENCE = number("difference", "AUC in group a minus AUC in group b, -1 to 1; empty where a class is absent.")
ESTIMATED = (DIFFERENCE, STD_ERROR, *INTERVAL, P_VALUE, INFLATION, SMALLEST_DETECTABLE)
GAP_COLUMNS = (
    *RUN,
    FINDING,
    text("group_a", "Group of images; see `group` of `auc.csv`."),
    text("group_b", "Group that it is compared with: the largest of its kind in the archive."),
    QUESTION,
    POSITIVES,
    POSITIVE_PATIENTS,
    *ESTIMATED,
    FINDINGS_COUNTED,
    REASON,
    SEEN,
)
GAPS_TABLE = ResultTable("gaps.csv", "One row per run, finding and pair of groups.", GAP_COLUMNS)
GAPS_SEEDS_TABLE = ResultTable(
    "gaps_seeds.csv",
    "One row per approach, finding and pair of groups: the mean over the seeds of a kind that has one split.",
    GAP_COLUMNS,
)


def group_rows(images: pl.DataFrame) -> dict[str, np.ndarray]:
    """Return the rows of each group; an image whose value is unknown is in ``all`` alone.

    Args:
        images: Rows of the table: ``age_years``, ``sex``, ``view``.

    Returns:
        (N,) Boolean mask per name: ``all``, then ``view=PA``, ``sex=F``, ``age=0-17`` ... where any image is in it.
    """
    masks = {ALL: np.ones(images.height, bool)}
    for column in ("view", "sex"):
        values = images[column].drop_nulls().unique().sort(descending=column == "view")
        masks |= {f"{column}={value}": _is_true(images[column] == value) for value in values}
    years = images["age_years"].floor()
    bands = {f"age={low}-{high}": _is_true(years.is_between(low, high)) for low, high in AGE_BANDS}
    return masks | {name: mask for name, mask in bands.items() if mask.any()}


def _is_true(column: pl.Series) -> np.ndarray:
    """Return a Boolean mask in which unknown counts as no."""
    return column.fill_null(value=False).to_numpy()


def group_pairs(table: pl.DataFrame) -> list[tuple[str, str]]:
    """Pair every group with the largest of its kind in the whole table: views, sexes, ages."""
    sizes = {name: int(mask.sum()) for name, mask in group_rows(table).items() if name != ALL}
    pairs = []
    for _, members in groupby(sizes, key=lambda name: name.partition("=")[0]):
        names = list(members)
        largest = max(names, key=sizes.__getitem__)
        pairs += [(name, largest) for name in names if name != largest]
    return pairs


def gap_table(truth: HeldOut, approach: str, aucs: GroupedAucs, pairs: Sequence[tuple[str, str]]) -> pl.DataFrame:
    """Return the AUC in one group less that in another, on new patients, for the pairs that have images.

    Both sides of a mean are over the findings that both groups have; patients may be in both groups.
    """
    head = aucs.head(truth, approach)
    rows = [
        {**head, "finding": finding, "group_a": one, "group_b": other, **_gap(aucs, one, other, finding)}
        for one, other in pairs
        if {one, other} <= set(aucs.groups)
        for finding in (*aucs.findings, MEAN)
    ]
    return GAPS_TABLE.frame(rows)


def _gap(aucs: GroupedAucs, one: str, other: str, finding: str) -> dict[str, Any]:
    """Return a difference as part of a row; what is not known is null."""
    gap = auc_difference(aucs.joint, aucs.columns(one, finding), aucs.columns(other, finding))
    return {
        **support(gap, finding),
        **known_values(gap, ESTIMATED, difference="estimate"),
        "findings_counted": aucs.counted(gap, finding),
        "reason": gap.reason,
    }
