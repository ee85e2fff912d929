"""How well each run tells images with a finding from images without it: AUC per group and finding."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from cxrbench.evaluate.reading import NOT_STATED, HeldOut, Scores
from cxrbench.findings import NO_FINDING
from cxrbench.stats import roc

MEAN = "mean"
"""Stands for a finding: the mean over the pathologies, "No Finding" left out, as in the paper."""

AUC_SCHEMA = {
    "approach": pl.String,
    "split": pl.String,
    "kind": pl.String,
    "seed": pl.Int64,
    "group": pl.String,
    "finding": pl.String,
    "images": pl.Int64,
    "positives": pl.Int64,
    "positive_patients": pl.Int64,
    "auc": pl.Float64,
    "findings_counted": pl.Int64,
    "reason": pl.String,
}


def auc_table(truth: HeldOut, scores: Sequence[Scores], masks: Mapping[str, np.ndarray]) -> pl.DataFrame:
    """AUC of every run, group and finding of one split, and the mean over the pathologies.

    Args:
        truth: The test images and their labels.
        scores: The runs of the split.
        masks: (N,) images per group.
    """
    rows: list[dict[str, Any]] = []
    for group, mask in masks.items():
        counts = list(_counts(truth, mask))
        for run in scores:
            aucs = [_auc(run.logits[:, column], truth.labels[:, column], mask) for column in range(len(counts))]
            measured = [{**count, **auc} for count, auc in zip(counts, aucs, strict=True)]
            head = {"approach": run.run.approach, "seed": run.run.seed, "group": group}
            rows += [{**head, **row} for row in (*measured, _mean(measured))]
    head = {"split": truth.split.name, "kind": truth.split.kind}
    return pl.DataFrame([{**head, **row} for row in rows], schema=AUC_SCHEMA)


def _counts(truth: HeldOut, mask: np.ndarray) -> Iterator[dict[str, Any]]:
    """What one group holds of each finding, whatever the run."""
    for column, finding in enumerate(truth.findings):
        labels = truth.labels[:, column]
        positive = mask & (labels == 1)
        yield {
            "finding": finding,
            "images": int((mask & (labels != NOT_STATED)).sum()),
            "positives": int(positive.sum()),
            "positive_patients": len(np.unique(truth.patients[positive])),
        }


def _auc(scores: np.ndarray, labels: np.ndarray, mask: np.ndarray) -> dict[str, Any]:
    """The AUC, or why there is none."""
    used = mask & (labels != NOT_STATED)
    present = labels[used] == 1
    if reason := no_auc_reason(present):
        return {"auc": None, "reason": reason}
    return {"auc": float(roc.auc(scores[used], present)), "reason": None}


def no_auc_reason(present: np.ndarray) -> str | None:
    """Why an AUC cannot be computed, or None when it can."""
    if not present.size:
        return "label not stated"
    if not present.any():
        return "no image with the finding"
    if present.all():
        return "no image without the finding"
    return None


def _mean(measured: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean over the pathologies that could be measured, and how many those are."""
    aucs = [row["auc"] for row in measured if row["finding"] != NO_FINDING and row["auc"] is not None]
    return {
        "finding": MEAN,
        "images": max(row["images"] for row in measured),
        "auc": float(np.mean(aucs)) if aucs else None,
        "findings_counted": len(aucs),
        "reason": None if aucs else "no pathology could be measured",
    }


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
