"""Do the maps depend on what was learnt: the network is made random from the last layer down.

Source: Adebayo et al. 2018, doi:10.48550/arXiv.1810.03292.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import polars as pl
import torch
from scipy.stats import spearmanr

from cxrbench.config import Approach
from cxrbench.explain.localisations import estimate_columns
from cxrbench.explain.localising import Boxed, mapped
from cxrbench.explain.maps import Method
from cxrbench.explain.trained import OpenStudy, Trained
from cxrbench.models.backbone import Backbone
from cxrbench.models.classifier import Classifier
from cxrbench.stats.means import clustered_mean

SANITY_SCHEMA = {
    "approach": pl.String,
    "split": pl.String,
    "seed": pl.Int64,
    "method": pl.String,
    "randomised": pl.String,
    "cells": pl.Int64,
    "correlation": pl.Float64,
    "images": pl.Int64,
    "patients": pl.Int64,
    "std_error": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "reason": pl.String,
}
HEAD = "head"


def cascade(classifier: Classifier) -> tuple[str, ...]:
    """Return the parts of a network in the order in which they are made random: the head, then from deep to shallow.

    A part is a module of the backbone, or a tensor of its own (a class token), that holds one of its layers or none;
    what holds several is taken apart.
    """
    names = classifier.backbone.state_dict()
    parts = dict.fromkeys(_part(classifier.backbone, name) for name in names)  # in the network's own order
    return (HEAD, *(f"backbone.{part}" for part in reversed(parts)))


def _part(backbone: Backbone, tensor: str) -> str:
    """The part of the backbone that a tensor belongs to."""
    layers = [layer.module for layer in backbone.layers]
    *modules, _ = tensor.split(".")
    for depth in range(1, len(modules) + 1):
        part = ".".join(modules[:depth])
        if not _is_taken_apart(backbone, part, layers):
            return part
    return tensor


def _is_taken_apart(backbone: Backbone, part: str, layers: Sequence[str]) -> bool:
    """Return whether a module holds several layers, or is all there is of a backbone that names none."""
    if layers:
        return sum(f"{layer}.".startswith(f"{part}.") for layer in layers) > 1
    return all(name.startswith(f"{part}.") for name in backbone.state_dict())


def randomised(classifier: Classifier, approach: Approach, *, seed: int) -> Iterator[tuple[str, Classifier]]:
    """The network with more and more of it drawn anew, and the name of the part that was drawn last.

    Args:
        classifier: Left as it is.
        approach: What it was built from.
        seed: Of the new weights.
    """
    random, mixed = (_drawn(approach, findings=classifier.findings, seed=seed) for _ in range(2))
    mixed.load_state_dict(classifier.state_dict())
    drawn = random.state_dict()
    for part in cascade(classifier):
        own = {name: value for name, value in drawn.items() if f"{name}.".startswith(f"{part}.")}
        mixed.load_state_dict(own, strict=False)
        yield part, mixed


def _drawn(approach: Approach, *, findings: int, seed: int) -> Classifier:
    """A network before training, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Classifier(approach, findings=findings).eval()


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's correlation of two maps, cell by cell; 0 where one of them says nothing (all cells equal)."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(spearmanr(first.ravel(), second.ravel()).statistic)


def sanity_rows(
    study: OpenStudy, run: Trained, asked: Sequence[Boxed], methods: Sequence[Method], *, stage: int | None, seed: int
) -> Iterator[dict[str, Any]]:
    """How alike the maps are before and after more and more of the network is made random.

    Yields:
        One row per method and step, as in ``SANITY_SCHEMA``: ``randomised`` is the part drawn last (all before it in
        ``cascade`` are random too), ``cells`` those of one map, ``correlation`` the mean rank correlation of maps.
    """
    learnt = list(mapped(study, run, asked, methods, stage=stage))
    patients = [answer.boxed.patient_id for answer in learnt]
    for step, network in randomised(run.classifier, run.config.approach, seed=seed):
        again = list(mapped(study, replace(run, classifier=network), asked, methods, stage=stage))
        for method in methods:
            alike = [rank_correlation(a.cells[method], b.cells[method]) for a, b in zip(learnt, again, strict=True)]
            told = estimate_columns(clustered_mean(alike, patients))
            yield {
                **asdict(run.name),
                "method": method,
                "randomised": step,
                "cells": learnt[0].cells[method].size,
                "correlation": told.pop("estimate"),
                **told,
            }
