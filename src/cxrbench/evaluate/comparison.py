"""Which of two approaches is better, and how sure that is."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, cycle, islice
from math import lcm
from typing import Any

import numpy as np
import polars as pl
from scipy.special import ndtri

from cxrbench.evaluate.columns import (
    ALL,
    APPROACH_A,
    APPROACH_B,
    FINDING,
    INFLATION,
    INTERVAL,
    KIND,
    MEAN,
    NEW_PATIENTS,
    NEW_PATIENTS_OF_SEVERAL,
    NEW_TRAINING_SETS,
    P_VALUE,
    POSITIVE_PATIENTS,
    POSITIVES,
    QUESTION,
    REASON,
    SEEN,
    SMALLEST_DETECTABLE,
    STD_ERROR,
    count,
    known,
    known_values,
    number,
    support,
    text,
)
from cxrbench.evaluate.held_out import HeldOut, Scores
from cxrbench.results import ResultTable
from cxrbench.splits import Split
from cxrbench.stats.clustered import AucDifference, auc_difference, difference_covariance, smallest_detectable
from cxrbench.stats.comparison import corrected_resampled
from cxrbench.stats.joint import JointAucs, joint_aucs
from cxrbench.stats.multiplicity import benjamini_hochberg, holm, max_t

CORRECTED = "corrected re-sampled t (Nadeau and Bengio)"
PAIRED = "paired, clustered by patient (Obuchowski)"

HOLM, MAX_T = "holm", "max-t"
ADJUSTMENTS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {HOLM: holm, "bh": benjamini_hochberg}
"""Ways to allow for many comparisons that need their p-values alone; ``max-t`` needs their joint covariance too."""
SEED = 0
"""Seed of the simulation behind ``max-t``."""

Columns = tuple[list[int], list[int]]
"""Columns of the joint covariance on either side of a difference."""

ESTIMATED = (STD_ERROR, *INTERVAL, P_VALUE)
COMPARISON_TABLE = ResultTable(
    "comparison.csv",
    "One row per kind of split, pair of approaches and finding.",
    (
        KIND,
        APPROACH_A,
        APPROACH_B,
        FINDING,
        QUESTION,
        text("method", "Test that was used; empty where there is none."),
        count("splits", "Splits on which both approaches have an AUC."),
        POSITIVES,
        POSITIVE_PATIENTS,
        number("difference", "AUC of approach a minus AUC of approach b, -1 to 1; empty where a class is absent."),
        *ESTIMATED,
        number("p_adjusted", "p-value that allows for all comparisons of its family; empty without a p-value."),
        INFLATION,
        SMALLEST_DETECTABLE,
        number(
            "probability_practically_nil",
            "Posterior probability that the true difference lies within ± 0.01; empty but over re-samples.",
        ),
        REASON,
        SEEN,
    ),
)


def resampled_comparisons(auc: pl.DataFrame, splits: Mapping[str, Split]) -> pl.DataFrame:
    """Compare all pairs of approaches over the re-samples (or folds) that both were trained on.

    Differences are approach a minus approach b; seeds on one split are averaged first.

    Args:
        auc: ``auc_table`` of kinds with more than one split.
        splits: Splits by name.
    """
    by_split = _aucs_by_split(auc)
    rows = [
        {"kind": kind, "finding": finding, "approach_a": a, "approach_b": b, **_over_splits(aucs[a], aucs[b], splits)}
        for (kind, finding), aucs in by_split.items()
        for a, b in combinations(sorted(aucs), 2)
    ]
    counted = ["positives", "positive_patients"]
    fewest = auc.filter(group=ALL).group_by("kind", "finding").agg(pl.col(counted).min())
    table = COMPARISON_TABLE.frame(rows).drop(counted)
    return adjusted(
        COMPARISON_TABLE.frame(table.join(fewest, on=["kind", "finding"], how="left", maintain_order="left"))
    )


def _aucs_by_split(auc: pl.DataFrame) -> dict[tuple[str, str], dict[str, dict[str, float]]]:
    """Return kind and finding -> approach -> split -> AUC, where there is one; the mean over seeds."""
    keys = ("kind", "finding", "approach", "split")
    measured = auc.filter(pl.col("group") == ALL).group_by(keys, maintain_order=True).agg(pl.col("auc").mean())
    found: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    for kind, finding, approach, split, value in measured.iter_rows():
        of_approach = found.setdefault((kind, finding), {}).setdefault(approach, {})
        if value is not None:
            of_approach[split] = value
    return found


def _over_splits(
    first: Mapping[str, float], second: Mapping[str, float], splits: Mapping[str, Split]
) -> dict[str, Any]:
    """Return the corrected test over the splits in which both have an AUC."""
    common = [split for split in first if split in second]
    differences = [first[split] - second[split] for split in common]
    row = {"question": NEW_TRAINING_SETS, "splits": len(common)}
    if len(common) < 2:
        return row | {"difference": next(iter(differences), None), "reason": f"needs two splits, has {len(common)}"}
    ratio = float(np.mean([_test_to_train(splits[name]) for name in common]))
    result = corrected_resampled(differences, test_to_train=ratio)
    return row | {
        "method": CORRECTED,
        "difference": result.difference,
        **known_values(result, ESTIMATED),
        "smallest_detectable": known(smallest_detectable(result.std_error, result.n - 1)),
        "probability_practically_nil": known(result.probability_practically_nil),
        "reason": result.reason,
    }


def _test_to_train(split: Split) -> float:
    """Return patients in test per patient in train: patients, since images of one patient are not independent."""
    return len(split.patients["test"]) / len(split.patients["train"])


def paired_comparisons(truth: HeldOut, scores: Sequence[Scores], *, adjustment: str = HOLM) -> pl.DataFrame:
    """Compare all pairs of approaches on one test set, paired by patient; an AUC is averaged over an approach's seeds.

    Says which trained models are better on new patients; what another training set would give it cannot say.

    Args:
        truth: The test images.
        scores: The runs on this split.
        adjustment: How p-values allow for their number: ``holm``, ``bh`` or ``max-t``.
    """
    if not scores:
        return COMPARISON_TABLE.empty()
    joint = joint_aucs(np.concatenate([run.logits for run in scores], axis=1), truth.labels, truth.codes)
    approaches = sorted({run.run.approach for run in scores})
    compared = {
        (finding, a, b): _paired_columns(truth, scores, (a, b), finding)
        for finding in (*truth.findings, MEAN)
        for a, b in combinations(approaches, 2)
    }
    differences = [auc_difference(joint, *columns) for columns in compared.values()]
    question = NEW_PATIENTS if len(approaches) == len(scores) else NEW_PATIENTS_OF_SEVERAL
    head = {"kind": truth.kind, "question": question, "method": PAIRED, "splits": 1}
    rows = [
        {**head, "approach_a": a, "approach_b": b, "finding": finding, **_as_row(difference, finding)}
        for (finding, a, b), difference in zip(compared, differences, strict=True)
    ]
    table = COMPARISON_TABLE.frame(rows)
    if adjustment == MAX_T:
        is_mean = np.array([finding == MEAN for finding, _, _ in compared])
        return table.with_columns(p_adjusted=_by_max_t(joint, list(compared.values()), differences, is_mean))
    return adjusted(table, adjustment)


def _by_max_t(
    joint: JointAucs, columns: Sequence[Columns], differences: Sequence[AucDifference], is_mean: np.ndarray
) -> pl.Series:
    """Return adjusted p-values, null where there is none; the two families are those of ``adjusted``.

    Each statistic counts as the normal one of equal p-value, so that a rare finding with few degrees of freedom does
    not blunt the others.
    """
    values: list[float | None] = [known(difference.p_value) for difference in differences]
    varies = np.array([difference.std_error > 0 for difference in differences])  # not where two models are one
    for family in (is_mean, ~is_mean):
        rows = np.flatnonzero(family & varies & np.array([value is not None for value in values])).tolist()
        own = [differences[row] for row in rows]
        if not own:
            continue
        adjusted_values = max_t(
            -ndtri([one.p_value / 2 for one in own]),
            difference_covariance(joint, [_measured(joint, columns[row]) for row in rows]),
            df=np.inf,
            seed=SEED,
        )
        for row, value in zip(rows, adjusted_values, strict=True):
            values[row] = float(value)
    return pl.Series(values, dtype=pl.Float64)


def _measured(joint: JointAucs, columns: Columns) -> Columns:
    """Return both sides' columns less those where either lacks a class, as ``auc_difference`` leaves them out."""
    pairs = [(a, b) for a, b in zip(*columns, strict=True) if not np.isnan(joint.auc[[a, b]]).any()]
    first, second = zip(*pairs, strict=True)
    return list(first), list(second)


def _paired_columns(truth: HeldOut, scores: Sequence[Scores], pair: tuple[str, str], finding: str) -> Columns:
    """Return columns of the joint covariance on either side: every seed of the approach, and every finding of a mean.

    Where one approach has more seeds, those of the other count more often: both sides are means over their own seeds.
    """
    chosen, width = truth.columns(finding), len(truth.findings)
    of_pair = [[row for row, run in enumerate(scores) if run.run.approach == approach] for approach in pair]
    length = lcm(*map(len, of_pair))
    first, second = (
        [row * width + column for row in islice(cycle(rows), length) for column in chosen] for rows in of_pair
    )
    return first, second


def _as_row(difference: AucDifference, finding: str) -> dict[str, Any]:
    """Return a difference as part of a row; what is not known is null."""
    return {
        **support(difference, finding),
        "difference": known(difference.estimate),
        **known_values(difference, (*ESTIMATED, INFLATION, SMALLEST_DETECTABLE)),
        "reason": difference.reason,
    }


def adjusted(rows: pl.DataFrame, adjustment: str = HOLM) -> pl.DataFrame:
    """Adjust p-values: one family is the mean AUC of all pairs on a kind of split, another all single findings.

    The mean is what approaches are compared by first; findings are looked at after.
    """
    family, adjust = pl.struct("kind", pl.col("finding") == MEAN), ADJUSTMENTS[adjustment]
    of_family = pl.col("p_value").map_batches(
        lambda values: pl.Series(adjust(values.to_numpy())), return_dtype=pl.Float64
    )
    return rows.with_columns(of_family.over(family).fill_nan(None).alias("p_adjusted"))
