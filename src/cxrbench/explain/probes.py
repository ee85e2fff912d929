"""How well sex, view and age can be read from the film itself: linear probes on a trained network's pooled features."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cxrbench.data.delivery import EvaluationBatches
from cxrbench.data.features import CODES
from cxrbench.evaluate.columns import known
from cxrbench.explain.trained import OpenStudy, Trained
from cxrbench.stats.clustered import auc_estimate
from cxrbench.stats.joint import joint_aucs
from cxrbench.stats.means import clustered_mean

BATCH = 64
PENALTIES = (1e3, 1e1, 1e2, 1e4)
"""Of the ridge regression; the validation part chooses."""
AUC, ERROR = "auc", "mean_absolute_error"
CHANCE = 0.5
PROBE_SCHEMA = {
    "approach": pl.String,
    "split": pl.String,
    "seed": pl.Int64,
    "target": pl.String,
    "measure": pl.String,
    "learnt_from": pl.Int64,
    "images": pl.Int64,
    "patients": pl.Int64,
    "estimate": pl.Float64,
    "std_error": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "untold": pl.Float64,
    "gain": pl.Float64,
    "gain_lower": pl.Float64,
    "gain_upper": pl.Float64,
    "reason": pl.String,
}
Target = Literal["sex", "view", "age"]
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Pooled:
    """Films of one part: pooled features (N, C), and the table's rows."""

    features: NDArray[np.float32]
    images: pl.DataFrame

    def values(self, target: Target) -> Numbers:
        """(N,) of a target as numbers, NaN where unknown."""
        if target == "age":
            return self.images["age_years"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        codes = self.images[target].replace_strict(CODES[target], default=None, return_dtype=pl.Float64)
        return codes.fill_null(float("nan")).to_numpy()

    def known(self, target: Target) -> tuple[NDArray[np.float32], Numbers, NDArray[Any]]:
        """Features, values and patients of the films whose value is known."""
        values = self.values(target)
        has = ~np.isnan(values)
        return self.features[has], values[has], self.images["patient_id"].to_numpy()[has]


Parts = Mapping[str, Pooled]


@torch.inference_mode()
def pooled_features(study: OpenStudy, run: Trained, images: pl.DataFrame) -> Pooled:
    """What the network makes of films before its last layer."""
    part = run.part(study, images)
    batches = [
        run.classifier.backbone.pool(run.classifier.encode(film)).numpy()
        for film, _, _ in EvaluationBatches(part=part, batch_size=BATCH)
    ]
    return Pooled(np.concatenate(batches), images)


def probe_rows(study: OpenStudy, run: Trained, *, films: int, seed: int) -> Iterator[dict[str, Any]]:
    """One row per target, as in ``PROBE_SCHEMA``.

    ``untold`` is what one scores without the film (AUC 0.5; the error of always saying the training mean), ``gain``
    what the film adds: AUC above it, years of error below it.

    Args:
        study: Whose films are read.
        run: Whose features.
        films: Of the training part at most, drawn at random; of the validation part a fifth as many.
        seed: Of the draw.
    """
    rng = np.random.default_rng(seed)
    parts = {}
    for part, most in (("train", films), ("val", max(1, films // 5)), ("test", None)):
        rows = run.split.rows(study.table, part)
        chosen = np.sort(rng.permutation(rows)[:most]) if most else rows
        parts[part] = pooled_features(study, run, study.table[chosen])
    targets: tuple[Target, ...] = ("sex", "view", "age")
    for target in targets:
        measure = _error_row if target == "age" else _auc_row
        yield {**asdict(run.name), "target": target, **measure(parts, target)}


def _auc_row(parts: Parts, target: Target) -> dict[str, Any]:
    """How well a feature of two values is read."""
    _, present, _ = parts["train"].known(target)
    _, truth, patients = parts["test"].known(target)
    counts = {"measure": AUC, "learnt_from": len(present), "images": len(truth), "patients": len(set(patients))}
    if min(len(set(present)), len(set(truth))) < 2:
        return counts | {"reason": "no images of both classes"}
    scores = read_from_features(parts, target)
    found = auc_estimate(joint_aucs(scores[:, None], truth[:, None], patients), 0)
    told = {name: getattr(found, name) for name in ("estimate", "std_error", "lower", "upper")}
    told |= {"untold": CHANCE, "gain": found.estimate - CHANCE}
    told |= {"gain_lower": found.lower - CHANCE, "gain_upper": found.upper - CHANCE}
    return counts | {name: known(value) for name, value in told.items()} | {"reason": found.reason}


def _error_row(parts: Parts, target: Target) -> dict[str, Any]:
    """How well a number is read."""
    _, values, _ = parts["train"].known(target)
    _, truth, patients = parts["test"].known(target)
    counts = {"measure": ERROR, "learnt_from": len(values), "images": len(truth), "patients": len(set(patients))}
    if len(values) < 2 or not len(truth):
        return counts | {"reason": f"{target} is known of {len(values)} training and {len(truth)} test images"}
    errors = np.abs(read_from_features(parts, target) - truth)
    untold = np.abs(values.mean() - truth)
    ours, gain = clustered_mean(errors, patients), clustered_mean(untold - errors, patients)
    told = {"estimate": ours.estimate, "std_error": ours.std_error, "lower": ours.lower, "upper": ours.upper}
    told |= {"untold": float(untold.mean()), "gain": gain.estimate, "gain_lower": gain.lower, "gain_upper": gain.upper}
    return counts | {name: known(value) for name, value in told.items()} | {"reason": ours.reason}


def read_from_features(parts: Parts, target: Target) -> Numbers:
    """The target as ridge regression on standardised features reads it from the test films whose value is known.

    For sex and view, F or PA being 0 and M or AP 1, it is a linear discriminant. The penalty is the one with the
    smallest squared error on the validation part; the first where no value is known there.
    """
    features, values, _ = parts["train"].known(target)
    val_features, val_values, _ = parts["val"].known(target)
    probes = [make_pipeline(StandardScaler(), Ridge(alpha=penalty)).fit(features, values) for penalty in PENALTIES]
    if len(val_values):
        probes.sort(key=lambda probe: float(((probe.predict(val_features) - val_values) ** 2).mean()))
    return np.asarray(probes[0].predict(parts["test"].known(target)[0]), np.float64)
