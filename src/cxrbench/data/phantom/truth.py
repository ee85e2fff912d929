"""What is true of every film, and what a perfect reader of the films would score."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import rankdata

from cxrbench.data.phantom.population import Film
from cxrbench.findings import NO_FINDING, PATHOLOGIES


def truth_table(films: Sequence[Film]) -> pl.DataFrame:
    """One row per film and pathology.

    Returns:
        ``image_id``, ``finding``, ``is_present`` (before label noise), ``is_labelled`` (in the release's table),
        ``visibility`` (0 where the film shows nothing, up to 1) and ``prior`` (probability given age, sex and view).
    """
    return pl.DataFrame(
        {
            "image_id": np.repeat([film.image_id for film in films], len(PATHOLOGIES)),
            "finding": list(PATHOLOGIES) * len(films),
            "is_present": _flat(films, lambda film, name: name in {sign.finding for sign in film.signs}),
            "is_labelled": _flat(films, lambda film, name: name in film.labels),
            "visibility": _flat(films, _visibility),
            "prior": [prior for film in films for prior in film.priors],
        },
        schema_overrides={"visibility": pl.Float32, "prior": pl.Float32},
    )


def ideal_auc(truth: pl.DataFrame) -> pl.DataFrame:
    """AUC against the labels of a reader who sees every visible sign, without and with age, sex and view.

    The reader calls a finding wherever its sign can be seen at all. Elsewhere ``auc_image`` has no preference, and
    ``auc_context`` orders the films by the probability that age, sex and view give. "No Finding" is scored by the
    product of the chances that each pathology is absent.

    Args:
        truth: As :func:`truth_table` returns it.

    Returns:
        ``finding``, ``labelled``, ``auc_image``, ``auc_context``; null where a class is empty.
    """
    scored = truth.with_columns(**_reader(truth))
    healthy = scored.group_by("image_id", maintain_order=True).agg(
        is_labelled=~pl.col("is_labelled").any(),
        image=(1 - pl.col("image")).log().sum(),
        context=(1 - pl.col("context")).log().sum(),
    )
    rows = [_row(name, scored.filter(pl.col("finding") == name)) for name in PATHOLOGIES]
    return pl.DataFrame([*rows, _row(NO_FINDING, healthy)], infer_schema_length=None)


def _reader(truth: pl.DataFrame) -> dict[str, pl.Expr]:
    """Probability of each finding for the two readers; just under 1 where the sign is seen."""
    is_seen = pl.col("visibility") > 0
    present = truth.filter(pl.col("is_present"))
    unseen_share = float((present["visibility"] == 0).mean() or 0.0) if len(present) else 0.0  # type: ignore[arg-type]

    def posterior(prior: pl.Expr) -> pl.Expr:
        unseen = prior * unseen_share / (prior * unseen_share + 1 - prior)
        return pl.when(is_seen).then(0.999).otherwise(unseen)

    return {"image": posterior(pl.col("is_present").mean().over("finding")), "context": posterior(pl.col("prior"))}


def _row(finding: str, scored: pl.DataFrame) -> dict[str, str | int | float | None]:
    """AUCs of one finding."""
    present = scored["is_labelled"].to_numpy()
    return {
        "finding": finding,
        "labelled": int(present.sum()),
        "auc_image": _auc(scored["image"].to_numpy(), present),
        "auc_context": _auc(scored["context"].to_numpy(), present),
    }


def _auc(scores: NDArray[np.float64], present: NDArray[np.bool_]) -> float | None:
    """Area under the ROC curve, ties one half; None where a class is empty."""
    positives, negatives = int(present.sum()), int((~present).sum())
    if min(positives, negatives) == 0:
        return None
    ranks = rankdata(scores.round(9))
    return float((ranks[present].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _flat(films: Sequence[Film], value: Callable[[Film, str], Any]) -> list[Any]:
    """A value per film and pathology, film by film."""
    return [value(film, name) for film in films for name in PATHOLOGIES]


def _visibility(film: Film, finding: str) -> float:
    """How plainly the film shows the finding; 0 where it is absent."""
    return next((sign.visibility for sign in film.signs if sign.finding == finding), 0.0)
