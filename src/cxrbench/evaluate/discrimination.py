"""How well each run tells images with a finding from images without it: AUC per group and finding."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from cxrbench.evaluate.reading import NOT_STATED, HeldOut, Scores
from cxrbench.findings import NO_FINDING
from cxrbench.stats.clustered import AucEstimate, auc_estimate
from cxrbench.stats.joint import JointAucs, joint_aucs

MEAN = "mean"
"""Stands for a finding: the mean over the pathologies, "No Finding" left out, as in the paper."""

NEW_PATIENTS = "this model on new patients"
"""The question that an interval on one test set answers."""

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
    """All AUCs of one run, by group and finding, with their joint covariance."""

    joint: JointAucs
    groups: tuple[str, ...]
    findings: tuple[str, ...]

    def column(self, group: str, finding: str) -> int:
        """Where in the covariance an AUC is."""
        return self.groups.index(group) * len(self.findings) + self.findings.index(finding)

    def columns(self, group: str, finding: str) -> list[int]:
        """The AUC's column, or those that are averaged."""
        averaged = pathologies(self.findings) if finding == MEAN else (finding,)
        return [self.column(group, name) for name in averaged]


def pathologies(findings: tuple[str, ...]) -> tuple[str, ...]:
    """Findings that count in the mean."""
    return tuple(name for name in findings if name != NO_FINDING)


def grouped_aucs(truth: HeldOut, run: Scores, masks: Mapping[str, np.ndarray]) -> GroupedAucs:
    """AUCs of one run in every group at once, since a patient may have images in two groups.

    Args:
        truth: The test images and their labels.
        run: Its scores.
        masks: (N,) images per group.
    """
    labels = np.where(truth.labels == NOT_STATED, np.nan, truth.labels)  # (N, L)
    present = np.concatenate([np.where(mask[:, None], labels, np.nan) for mask in masks.values()], axis=1)
    scores = np.tile(run.logits, (1, len(masks)))  # (N, G * L)
    return GroupedAucs(joint_aucs(scores, present, truth.codes), tuple(masks), truth.findings)


def auc_table(truth: HeldOut, run: Scores, aucs: GroupedAucs, counts: pl.DataFrame) -> pl.DataFrame:
    """AUC of one run by group and finding, and the mean over the pathologies, with intervals for new patients.

    Args:
        truth: The test images.
        run: The run.
        aucs: ``grouped_aucs`` of it.
        counts: ``count_table`` of the split.
    """
    rows = [
        {
            "group": group,
            "finding": finding,
            **_interval(auc_estimate(aucs.joint, aucs.columns(group, finding)), is_mean=finding == MEAN),
        }
        for group in aucs.groups
        for finding in (*aucs.findings, MEAN)
    ]
    head = {"approach": run.run.approach, "split": truth.split, "kind": truth.kind, "seed": run.run.seed}
    measured = pl.DataFrame(rows, schema={name: AUC_SCHEMA[name] for name in (*GROUP_FINDING, *_INTERVAL_COLUMNS)})
    joined = measured.join(counts, on=GROUP_FINDING, how="left", maintain_order="left")
    return joined.select(
        *(pl.lit(value, dtype=AUC_SCHEMA[name]).alias(name) for name, value in head.items()),
        pl.col(*GROUP_FINDING),
        pl.lit(NEW_PATIENTS).alias("question"),
        pl.col("images", "positives", "positive_patients", *_INTERVAL_COLUMNS[:-1]),
        pl.coalesce("absence", "reason").alias("reason"),
    )


GROUP_FINDING = ("group", "finding")
_INTERVAL_COLUMNS = ("auc", "std_error", "lower", "upper", "inflation", "findings_counted", "reason")


def _interval(estimate: AucEstimate, *, is_mean: bool) -> dict[str, Any]:
    """An estimate as a row; what is not known is null."""
    values = (estimate.estimate, estimate.std_error, estimate.lower, estimate.upper, estimate.inflation)
    return {
        **{name: known(value) for name, value in zip(_INTERVAL_COLUMNS, values, strict=False)},
        "findings_counted": estimate.n_columns if is_mean else None,
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
