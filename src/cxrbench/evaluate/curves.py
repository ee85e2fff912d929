"""ROC curves, averaged over splits at equal false-positive rates."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from cxrbench.evaluate.discrimination import no_auc_reason
from cxrbench.evaluate.reading import NOT_STATED, HeldOut, Scores
from cxrbench.stats import roc

GRID = np.linspace(0.0, 1.0, 81) ** 2
"""False-positive rates at which curves are kept: dense where curves are steep and where reading happens."""


def roc_table(truth: HeldOut, scores: Sequence[Scores]) -> pl.DataFrame:
    """Sensitivity of every run and finding of one split at the false-positive rates of ``GRID``."""
    parts = []
    for column, finding in enumerate(truth.findings):
        stated = truth.labels[:, column] != NOT_STATED
        present = truth.labels[stated, column] == 1
        if no_auc_reason(present):
            continue
        for run in scores:
            false_positive_rate, sensitivity, _ = roc.roc_curve(run.logits[stated, column], present)
            parts.append(
                pl.DataFrame(
                    {"false_positive_rate": GRID, "sensitivity": _at(GRID, false_positive_rate, sensitivity)}
                ).with_columns(approach=pl.lit(run.run.approach), finding=pl.lit(finding))
            )
    curves = pl.concat(parts) if parts else _EMPTY
    return curves.with_columns(split=pl.lit(truth.split), kind=pl.lit(truth.kind))


def mean_curves(curves: pl.DataFrame) -> pl.DataFrame:
    """Vertical average over the splits of one kind; seeds on one split first.

    Scores of different models are never pooled: a threshold means something else in each.

    Source: doi:10.1016/j.patrec.2005.10.010, section 8.
    """
    names = ["approach", "kind", "finding", "false_positive_rate"]
    per_split = curves.group_by(*names, "split", maintain_order=True).agg(pl.col("sensitivity").mean())
    return per_split.group_by(names, maintain_order=True).agg(
        pl.col("sensitivity").mean(),
        pl.col("sensitivity").std().alias("sd"),
        pl.col("split").n_unique().alias("splits"),
    )


def _at(grid: np.ndarray, false_positive_rate: np.ndarray, sensitivity: np.ndarray) -> np.ndarray:
    """Sensitivity on a grid; where the curve rises straight up, its upper end."""
    last = np.append(np.diff(false_positive_rate) > 0, True)
    values: np.ndarray = np.interp(grid, false_positive_rate[last], sensitivity[last])
    values[0] = sensitivity[false_positive_rate == 0].max()
    return values


_EMPTY = pl.DataFrame(
    schema={"false_positive_rate": pl.Float64, "sensitivity": pl.Float64, "approach": pl.String, "finding": pl.String}
)
