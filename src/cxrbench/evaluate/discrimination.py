"""How well each run tells images with a finding from images without it: AUCs by group, and ROC curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from cxrbench.evaluate.columns import (
    APPROACH,
    FINDING,
    FINDINGS_COUNTED,
    GROUP,
    IMAGES,
    INFLATION,
    INTERVAL,
    KIND,
    MEAN,
    ONE_FINDING,
    POSITIVE_PATIENTS,
    POSITIVES,
    QUESTION,
    REASON,
    RUN,
    SEEN,
    SPLITS,
    STD_ERROR,
    count,
    known_values,
    names_of,
    number,
    question,
)
from cxrbench.evaluate.held_out import HeldOut, Scores, no_auc_reason
from cxrbench.results import ResultTable
from cxrbench.stats import roc
from cxrbench.stats.clustered import AucEstimate, auc_estimate
from cxrbench.stats.joint import JointAucs, joint_group_aucs

AUC = number("auc", "Area under the ROC curve, 0 to 1; empty where a class is absent.")
GROUP_FINDING = (GROUP, FINDING)
COUNTED = (IMAGES, POSITIVES, POSITIVE_PATIENTS)
ESTIMATED = (AUC, STD_ERROR, *INTERVAL, INFLATION)
AUC_COLUMNS = (*RUN, *GROUP_FINDING, QUESTION, *COUNTED, *ESTIMATED, FINDINGS_COUNTED, REASON, SEEN)

AUC_TABLE = ResultTable("auc.csv", "One row per run, group and finding.", AUC_COLUMNS)
AUC_SEEDS_TABLE = ResultTable(
    "auc_seeds.csv",
    "One row per approach, group and finding: the mean over the seeds of a kind that has one split.",
    AUC_COLUMNS,
)
AUC_SUMMARY_TABLE = ResultTable(
    "auc_summary.csv",
    "One row per approach, kind of split, group and finding.",
    (
        APPROACH,
        KIND,
        *GROUP_FINDING,
        number("mean", "Mean AUC over the splits of one kind, after that over the seeds of each split."),
        number("sd", "Standard deviation of the splits' AUCs, no standard error; empty for one split."),
        SPLITS,
        count("seeds", "Seeds of one split, at most."),
        count("findings_counted", "Pathologies in a mean, the fewest of any split; empty for a single finding."),
        SEEN,
    ),
)
ROC_TABLE = ResultTable(
    "roc.parquet",
    "One point of a curve: the vertical average of the splits' ROC curves.",
    (
        APPROACH,
        KIND,
        ONE_FINDING,
        number("false_positive_rate", "1 - specificity, 0 to 1; 81 values, dense where curves are steep."),
        number("sensitivity", "Mean sensitivity at this rate, 0 to 1."),
        number("sd", "Its standard deviation over the splits; empty for one split."),
        SPLITS,
        SEEN,
    ),
)


@dataclass(frozen=True)
class GroupedAucs:
    """All AUCs of one run, or of several seeds of one approach, by group and finding, with their joint covariance."""

    joint: JointAucs
    groups: tuple[str, ...]
    findings: tuple[str, ...]
    pathologies: tuple[str, ...]
    seeds: tuple[int, ...]

    def columns(self, group: str, finding: str) -> list[int]:
        """Return the AUC's column in the covariance, or those that are averaged: over pathologies, over seeds."""
        averaged = self.pathologies if finding == MEAN else (finding,)
        of_group = self.groups.index(group) * len(self.seeds) * len(self.findings)
        first = [of_group + self.findings.index(name) for name in averaged]
        return [column + seed * len(self.findings) for seed in range(len(self.seeds)) for column in first]

    def counted(self, estimate: AucEstimate, finding: str) -> int | None:
        """Return how many findings entered a mean; None for a single finding."""
        return estimate.n_columns // len(self.seeds) if finding == MEAN else None

    def head(self, truth: HeldOut, approach: str) -> dict[str, Any]:
        """Return what all rows of one table share."""
        seed = self.seeds[0] if len(self.seeds) == 1 else None
        run = {"approach": approach, "split": truth.split, "kind": truth.kind, "seed": seed}
        return run | {"question": question(len(self.seeds))}


def grouped_aucs(truth: HeldOut, runs: Sequence[Scores], masks: Mapping[str, np.ndarray]) -> GroupedAucs:
    """Measure the AUCs of every group at once, since a patient may have images in two groups.

    Args:
        truth: The test images and their labels.
        runs: One run, or several seeds of one approach.
        masks: (N,) images per group.
    """
    scores = np.concatenate([run.logits for run in runs], axis=1)  # (N, S * L)
    joint = joint_group_aucs(scores, truth.labels, truth.codes, list(masks.values()))
    return GroupedAucs(joint, tuple(masks), truth.findings, truth.pathologies, tuple(run.run.seed for run in runs))


def auc_table(truth: HeldOut, approach: str, aucs: GroupedAucs, counts: pl.DataFrame) -> pl.DataFrame:
    """Return AUCs by group and finding, and their mean over the pathologies, with intervals for new patients.

    Args:
        truth: The test images.
        approach: Name of the approach.
        aucs: ``grouped_aucs`` of a run of it, or of several seeds, whose mean then is measured.
        counts: ``count_table`` of the split.
    """
    head = aucs.head(truth, approach)
    rows = [
        {**head, "group": group, "finding": finding, **_estimated(aucs, group, finding)}
        for group in aucs.groups
        for finding in (*aucs.findings, MEAN)
    ]
    counted = names_of(COUNTED)
    measured = AUC_TABLE.frame(rows).drop(counted)
    joined = measured.join(counts, on=names_of(GROUP_FINDING), how="left", maintain_order="left")
    return AUC_TABLE.frame(joined.with_columns(pl.coalesce("absence", "reason").alias("reason")).drop("absence"))


def _estimated(aucs: GroupedAucs, group: str, finding: str) -> dict[str, Any]:
    """Return an estimate as part of a row; what is not known is null."""
    found = auc_estimate(aucs.joint, aucs.columns(group, finding))
    values = known_values(found, ESTIMATED, auc="estimate")
    return {**values, "findings_counted": aucs.counted(found, finding), "reason": found.reason}


def count_table(truth: HeldOut, masks: Mapping[str, np.ndarray]) -> pl.DataFrame:
    """Count what each group holds of each finding, whatever the run, and say why a finding cannot be measured.

    Returns:
        ``group, finding, images`` (whose label is stated), ``positives, positive_patients, absence``.
    """
    schema = {column.name: column.type for column in (*GROUP_FINDING, *COUNTED)} | {"absence": pl.String}
    rows = [
        {"group": group, "finding": finding, **truth.counts(finding, mask), "absence": _absence(truth, finding, mask)}
        for group, mask in masks.items()
        for finding in (MEAN, *truth.findings)
    ]
    return pl.DataFrame(rows, schema=schema)


def _absence(truth: HeldOut, finding: str, mask: np.ndarray) -> str | None:
    """Say why a finding cannot be measured in a group."""
    if finding == MEAN:
        return None
    labels = truth.labels[mask, truth.findings.index(finding)]
    return no_auc_reason(labels[~np.isnan(labels)] == 1)


def auc_summary(auc: pl.DataFrame) -> pl.DataFrame:
    """Return mean and SD over the splits of one kind; seeds on one split are averaged first.

    The SD describes how the splits differ; it is no standard error, since their training parts overlap.
    """
    names = ["approach", "kind", "group", "finding"]
    per_split = auc.group_by([*names, "split"], maintain_order=True).agg(
        pl.col("auc").mean(), pl.col("seed").n_unique().alias("seeds"), pl.col("findings_counted").min()
    )
    summary = per_split.group_by(names, maintain_order=True).agg(
        pl.col("auc").mean().alias("mean"),
        pl.col("auc").std().alias("sd"),
        pl.col("auc").count().alias("splits"),
        pl.col("seeds").max(),
        pl.col("findings_counted").min(),
    )
    return AUC_SUMMARY_TABLE.frame(summary)


GRID = np.linspace(0.0, 1.0, 81) ** 2
"""False-positive rates at which curves are kept: dense where curves are steep and where reading happens."""


def roc_table(truth: HeldOut, scores: Sequence[Scores]) -> pl.DataFrame:
    """Return the sensitivity of every run and finding of one split at the false-positive rates of ``GRID``."""
    parts = []
    for column, finding in enumerate(truth.findings):
        for run in scores:
            values, present = truth.stated(run.logits, column)
            if no_auc_reason(present):
                continue
            false_positive_rate, sensitivity, _ = roc.roc_curve(values, present)
            curve = {"false_positive_rate": GRID, "sensitivity": _at(GRID, false_positive_rate, sensitivity)}
            parts.append(pl.DataFrame(curve).with_columns(approach=pl.lit(run.run.approach), finding=pl.lit(finding)))
    columns = ("false_positive_rate", "sensitivity", "approach", "finding")
    curves = pl.concat(parts) if parts else ROC_TABLE.empty().select(columns)
    return curves.with_columns(split=pl.lit(truth.split), kind=pl.lit(truth.kind))


def mean_curves(curves: pl.DataFrame) -> pl.DataFrame:
    """Average curves vertically over the splits of one kind; seeds on one split first.

    Scores of different models are never pooled: a threshold means something else in each.

    Source: doi:10.1016/j.patrec.2005.10.010, section 8.
    """
    names = ["approach", "kind", "finding", "false_positive_rate"]
    per_split = curves.group_by(*names, "split", maintain_order=True).agg(pl.col("sensitivity").mean())
    return ROC_TABLE.frame(
        per_split.group_by(names, maintain_order=True).agg(
            pl.col("sensitivity").mean(),
            pl.col("sensitivity").std().alias("sd"),
            pl.col("split").n_unique().alias("splits"),
        )
    )


def _at(grid: np.ndarray, false_positive_rate: np.ndarray, sensitivity: np.ndarray) -> np.ndarray:
    """Return the sensitivity on a grid; where the curve rises straight up, its upper end."""
    last = np.append(np.diff(false_positive_rate) > 0, True)
    values: np.ndarray = np.interp(grid, false_positive_rate[last], sensitivity[last])
    values[0] = sensitivity[false_positive_rate == 0].max()
    return values
