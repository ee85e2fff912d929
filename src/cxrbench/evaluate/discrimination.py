"""How well each run tells images with a finding from images without it: AUC per group and finding."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from cxrbench.evaluate.reading import NOT_STATED, HeldOut, Scores
from cxrbench.stats.clustered import AucEstimate, auc_estimate
from cxrbench.stats.joint import JointAucs, joint_group_aucs

MEAN = "mean"
"""Stands for a finding: the mean over the pathologies; in the paper "No Finding" is left out."""

NEW_PATIENTS = "this model on new patients"
"""The question that an interval on one test set answers."""
NEW_PATIENTS_OF_SEVERAL = "these models on new patients"
"""The question that an interval of a mean over several models answers: seeds, or one of each split."""

AUC_SCHEMA = {
    "approach": pl.String,
    "split": pl.String,
    "kind": pl.String,
    "seed": pl.Int64,
    "group": pl.String,
    "finding": pl.String,
    "question": pl.String,
    "images": pl.Int64,
    "positives": pl.Int64,
    "positive_patients": pl.Int64,
    "auc": pl.Float64,
    "std_error": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "inflation": pl.Float64,
    "findings_counted": pl.Int64,
    "reason": pl.String,
}


@dataclass(frozen=True)
class GroupedAucs:
    """All AUCs of one run, or of several seeds of one approach, by group and finding, with their joint covariance."""

    joint: JointAucs
    groups: tuple[str, ...]
    findings: tuple[str, ...]
    pathologies: tuple[str, ...]
    seeds: tuple[int, ...]

    def columns(self, group: str, finding: str) -> list[int]:
        """The AUC's column in the covariance, or those that are averaged: over pathologies, over seeds."""
        averaged = self.pathologies if finding == MEAN else (finding,)
        of_group = self.groups.index(group) * len(self.seeds) * len(self.findings)
        first = [of_group + self.findings.index(name) for name in averaged]
        return [column + seed * len(self.findings) for seed in range(len(self.seeds)) for column in first]

    @property
    def seed(self) -> int | None:
        """The run's seed; None for several."""
        return self.seeds[0] if len(self.seeds) == 1 else None


def grouped_aucs(truth: HeldOut, runs: Sequence[Scores], masks: Mapping[str, np.ndarray]) -> GroupedAucs:
    """AUCs in every group at once, since a patient may have images in two groups.

    Args:
        truth: The test images and their labels.
        runs: One run, or several seeds of one approach.
        masks: (N,) images per group.
    """
    labels = np.where(truth.labels == NOT_STATED, np.float32(np.nan), truth.labels.astype(np.float32))
    scores = np.concatenate([run.logits for run in runs], axis=1)  # (N, S * L)
    joint = joint_group_aucs(scores, labels, truth.codes, list(masks.values()))
    return GroupedAucs(joint, tuple(masks), truth.findings, truth.pathologies, tuple(run.run.seed for run in runs))


def auc_table(truth: HeldOut, approach: str, aucs: GroupedAucs, counts: pl.DataFrame) -> pl.DataFrame:
    """AUC by group and finding, and the mean over the pathologies, with intervals for new patients.

    Args:
        truth: The test images.
        approach: Its name.
        aucs: ``grouped_aucs`` of a run of it, or of several seeds, whose mean then is measured.
        counts: ``count_table`` of the split.
    """
    rows = [
        {
            "group": group,
            "finding": finding,
            **_interval(auc_estimate(aucs.joint, aucs.columns(group, finding)), aucs, is_mean=finding == MEAN),
        }
        for group in aucs.groups
        for finding in (*aucs.findings, MEAN)
    ]
    head = {"approach": approach, "split": truth.split, "kind": truth.kind, "seed": aucs.seed}
    measured = pl.DataFrame(rows, schema={name: AUC_SCHEMA[name] for name in (*GROUP_FINDING, *_INTERVAL_COLUMNS)})
    joined = measured.join(counts, on=GROUP_FINDING, how="left", maintain_order="left")
    return joined.select(
        *(pl.lit(value, dtype=AUC_SCHEMA[name]).alias(name) for name, value in head.items()),
        pl.col(*GROUP_FINDING),
        pl.lit(NEW_PATIENTS if len(aucs.seeds) == 1 else NEW_PATIENTS_OF_SEVERAL).alias("question"),
        pl.col("images", "positives", "positive_patients", *_INTERVAL_COLUMNS[:-1]),
        pl.coalesce("absence", "reason").alias("reason"),
    )


GROUP_FINDING = ("group", "finding")
_INTERVAL_COLUMNS = ("auc", "std_error", "lower", "upper", "inflation", "findings_counted", "reason")


def _interval(estimate: AucEstimate, aucs: GroupedAucs, *, is_mean: bool) -> dict[str, Any]:
    """An estimate as a row; what is not known is null."""
    values = (estimate.estimate, estimate.std_error, estimate.lower, estimate.upper, estimate.inflation)
    return {
        **{name: known(value) for name, value in zip(_INTERVAL_COLUMNS, values, strict=False)},
        "findings_counted": estimate.n_columns // len(aucs.seeds) if is_mean else None,
        "reason": estimate.reason,
    }


def known(value: float) -> float | None:
    """The number, or None for NaN."""
    return None if np.isnan(value) else value


def count_table(truth: HeldOut, masks: Mapping[str, np.ndarray]) -> pl.DataFrame:
    """What each group holds of each finding, whatever the run, and why a finding cannot be measured.

    Returns:
        ``group, finding, images`` (whose label is stated), ``positives, positive_patients, absence``.
    """
    schema = {**{name: AUC_SCHEMA[name] for name in (*GROUP_FINDING, *_COUNTED)}, "absence": pl.String}
    rows = [{"group": group, **row} for group, mask in masks.items() for row in _counts(truth, mask)]
    return pl.DataFrame(rows, schema=schema)


_COUNTED = ("images", "positives", "positive_patients")


def _counts(truth: HeldOut, mask: np.ndarray) -> Iterator[dict[str, Any]]:
    """One group's findings, then their mean."""
    yield {"finding": MEAN, "images": int(mask.sum())}
    for column, finding in enumerate(truth.findings):
        labels = truth.labels[mask, column]
        present = labels[labels != NOT_STATED] == 1
        yield {
            "finding": finding,
            "images": len(present),
            "positives": int(present.sum()),
            "positive_patients": np.count_nonzero(np.bincount(truth.codes[mask][labels == 1])),
            "absence": no_auc_reason(present),
        }


def no_auc_reason(present: np.ndarray) -> str | None:
    """Why an AUC cannot be computed, or None when it can."""
    if not present.size:
        return "label not stated"
    if not present.any():
        return "no image with the finding"
    if present.all():
        return "no image without the finding"
    return None


def auc_summary(auc: pl.DataFrame) -> pl.DataFrame:
    """Mean and SD over the splits of one kind; seeds on one split are averaged first.

    The SD describes how the splits differ; it is no standard error, since their training parts overlap.
    """
    names = ["approach", "kind", "group", "finding"]
    per_split = auc.group_by([*names, "split"], maintain_order=True).agg(
        pl.col("auc").mean(), pl.col("seed").n_unique().alias("seeds"), pl.col("findings_counted").min()
    )
    return per_split.group_by(names, maintain_order=True).agg(
        pl.col("auc").mean().alias("mean"),
        pl.col("auc").std().alias("sd"),
        pl.col("auc").count().cast(pl.Int64).alias("splits"),
        pl.col("seeds").max().cast(pl.Int64),
        pl.col("findings_counted").min(),
    )
