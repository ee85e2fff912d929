"""What is true of every film, and what a perfect reader of the films would score."""

from collections.abc import Sequence
from dataclasses import asdict, fields

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import rankdata

from cxrbench.data.phantom.epidemiology import NO_FINDING, PATHOLOGIES
from cxrbench.data.phantom.lesions import Lesion
from cxrbench.data.phantom.population import Film

TRUTH_SCHEMA = {
    "image_id": pl.String,
    "finding": pl.String,
    "is_present": pl.Boolean,
    "is_labelled": pl.Boolean,
    "visibility": pl.Float32,
    "prior": pl.Float32,
}
SEEN = 0.999
"""Probability that the perfect reader gives a sign it sees; not 1, so that two signs outweigh one."""


def truth_table(films: Sequence[Film], lesions: Sequence[Sequence[Lesion]]) -> pl.DataFrame:
    """One row per film and pathology.

    Args:
        films: The release's films.
        lesions: What each of them shows, as measured.

    Returns:
        ``image_id``, ``finding``, ``is_present`` (before label noise), ``is_labelled`` (in the release's table),
        ``visibility`` (up to 1; 0 where the film shows nothing) and ``prior`` (probability given age, sex and view).
    """
    rows = [row for film, on_film in zip(films, lesions, strict=True) for row in _truths(film, on_film)]
    return pl.DataFrame(rows, schema=TRUTH_SCHEMA, orient="row")


def lesion_table(films: Sequence[Film], lesions: Sequence[Sequence[Lesion]]) -> pl.DataFrame:
    """One row per lesion: ``image_id`` and the fields of :class:`Lesion`."""
    names = [field.name for field in fields(Lesion)]
    schema = {"image_id": pl.String, "finding": pl.String} | dict.fromkeys(names[1:], pl.Float32)
    rows = [
        {"image_id": film.image_id, **asdict(lesion)}
        for film, on_film in zip(films, lesions, strict=True)
        for lesion in on_film
    ]
    return pl.DataFrame(rows, schema=schema)


def ideal_auc(truth: pl.DataFrame) -> pl.DataFrame:
    """AUC against the labels of a reader who sees every visible sign, without and with age, sex and view.

    The reader calls a finding wherever its sign can be seen at all. Elsewhere ``auc_image`` has no preference, while
    ``auc_context`` orders the films by the probability that age, sex and view leave. "No Finding" is scored by the
    probability that every pathology is absent.

    Args:
        truth: As :func:`truth_table` returns it.

    Returns:
        One row per finding: ``finding``, ``labelled`` (films), ``auc_image``, ``auc_context``; null where all or none
        of the films have the label.
    """
    unseen = _unseen_share(truth)
    mean_prior = pl.col("is_present").mean().over("finding")
    scored = truth.with_columns(image=_posterior(mean_prior, unseen), context=_posterior(pl.col("prior"), unseen))
    healthy = scored.group_by("image_id").agg(
        is_labelled=~pl.col("is_labelled").any(),
        image=(1 - pl.col("image")).log().sum(),
        context=(1 - pl.col("context")).log().sum(),
    )
    rows = [_scores(name, scored.filter(pl.col("finding") == name)) for name in PATHOLOGIES]
    return pl.DataFrame([*rows, _scores(NO_FINDING, healthy)], infer_schema_length=None)


def _truths(film: Film, lesions: Sequence[Lesion]) -> list[tuple[str, str, bool, bool, float, float]]:
    """Rows of one film. What was drawn but lies beside the film or under the heart is not visible."""
    drawn = {lesion.finding for lesion in lesions}
    visibility = {sign.finding: sign.visibility if sign.finding in drawn else 0.0 for sign in film.signs}
    return [
        (film.image_id, name, name in visibility, name in film.labels, visibility.get(name, 0.0), prior)
        for name, prior in zip(PATHOLOGIES, film.priors, strict=True)
    ]


def _unseen_share(truth: pl.DataFrame) -> float:
    """Share of the present findings that leave no sign."""
    present = truth.filter(pl.col("is_present"))
    return len(present.filter(pl.col("visibility") == 0)) / max(1, len(present))


def _posterior(prior: pl.Expr, unseen_share: float) -> pl.Expr:
    """Probability of a finding for a reader who has looked for its sign."""
    missed = prior * unseen_share
    return pl.when(pl.col("visibility") > 0).then(SEEN).otherwise(missed / (missed + 1 - prior))


def _scores(finding: str, scored: pl.DataFrame) -> dict[str, str | int | float | None]:
    """AUCs of one finding."""
    is_labelled = scored["is_labelled"].to_numpy()
    readers = {f"auc_{reader}": _auc(scored[reader].to_numpy(), is_labelled) for reader in ("image", "context")}
    return {"finding": finding, "labelled": int(is_labelled.sum()), **readers}


def _auc(scores: NDArray[np.float64], is_labelled: NDArray[np.bool_]) -> float | None:
    """Area under the ROC curve, ties one half; None where a class is empty."""
    positives, negatives = int(is_labelled.sum()), int((~is_labelled).sum())
    if min(positives, negatives) == 0:
        return None
    ranks = rankdata(np.round(scores, 9))
    return float((ranks[is_labelled].sum() - positives * (positives + 1) / 2) / (positives * negatives))
