"""What age, sex and view add to a -meta network's answer: measured against the training population.

A feature is taken away by letting it vary as it does in the training part while the film and the other features stay
(removal over the marginal distribution, doi:10.48550/arXiv.2011.14878). The answer with the feature as it is, less the
mean of the answers when it varies, is what the feature moved.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from scipy.special import expit

from cxrbench.config import Feature
from cxrbench.data.delivery import EvaluationBatches, Part
from cxrbench.data.features import FeatureScaling
from cxrbench.explain.trained import Trained

TOGETHER = "together"
"""Stands for a feature: all of them vary, as they do together in the training part."""
COLUMNS: dict[Feature, str] = {"age": "age_years", "sex": "sex", "view": "view"}
"""Of the table."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Answer:
    """What a network says of one film, as a function of the non-image features.

    Attributes:
        image_logits: (L,) logits of the film with all features zero.
        weights: (L, F) what one unit of each scaled feature adds.
    """

    image_logits: Numbers
    weights: Numbers

    def __call__(self, features: NDArray[np.floating]) -> Numbers:
        """Logits (K, L) with features (K, F)."""
        return np.asarray(self.image_logits + np.asarray(features, np.float64) @ self.weights.T)


def answer_of(run: Trained, part: Part) -> Answer:
    """The answer to a part's one film; features enter the last layer alone, so it is linear in them."""
    film, _, _ = next(iter(EvaluationBatches(part=part, batch_size=1)))
    no_features = torch.zeros(1, len(run.scaling.features))
    with torch.inference_mode():
        logits = run.classifier(film, no_features)[0].double().numpy()
        weights = run.classifier.head.feature_weights.double().numpy()
    return Answer(logits, weights)


def feature_effects(run: Trained, answer: Answer, image: pl.DataFrame, population: pl.DataFrame) -> pl.DataFrame:
    """How far each feature moved each finding of one film.

    Args:
        run: Of a -meta approach.
        answer: To the film.
        image: One row of the table: what is known of the film.
        population: Rows of the training part.

    Returns:
        One row per feature (and all ``together``) and finding: ``feature, value, finding, probability, logit_change,
        probability_change``. The value is null where it is unknown; the network then takes the population's mean.
    """
    known, others = run.scaling.encode(image), run.scaling.encode(population)  # (1, F), (P, F)
    logits = answer(known)[0]  # (L,)
    tables = []
    stated = {feature: image[COLUMNS[feature]][0] for feature in run.scaling.features}
    for feature, value in [*stated.items(), (TOGETHER, None)]:
        varied = answer(_varied(known, others, run.scaling, feature))  # (P, L)
        columns = {
            "finding": run.findings,
            "probability": expit(logits),
            "logit_change": logits - varied.mean(axis=0),
            "probability_change": expit(logits) - expit(varied).mean(axis=0),
        }
        head = (pl.lit(feature).alias("feature"), pl.lit(value).cast(pl.String).alias("value"))
        tables.append(pl.DataFrame(columns).select(*head, pl.all()))
    return pl.concat(tables)


def age_response(run: Trained, answer: Answer, image: pl.DataFrame) -> pl.DataFrame:
    """The answers to one film at every whole year that the training part spans, all else as it is.

    Returns:
        One row per year and finding: ``age_years, finding, logit, probability``; empty where age is no feature.
    """
    low, high = run.scaling.age_range
    ages = np.arange(np.ceil(low), np.floor(high) + 1) if "age" in run.scaling.features else np.empty(0)
    aged = pl.concat([image] * len(ages) or [image.clear()]).with_columns(age_years=pl.Series(ages, dtype=pl.Float32))
    logits = answer(run.scaling.encode(aged))  # (A, L)
    return pl.DataFrame(
        {
            "age_years": np.repeat(ages, len(run.findings)),
            "finding": list(run.findings) * len(ages),
            "logit": logits.ravel(),
            "probability": expit(logits).ravel(),
        },
        schema_overrides={"finding": pl.String},
    )


def _varied(
    known: NDArray[np.float32], others: NDArray[np.float32], scaling: FeatureScaling, feature: str
) -> NDArray[np.float32]:
    """The film's features (P, F) with one of them, or all together, as in the population."""
    if feature == TOGETHER:
        return others
    varied = np.repeat(known, len(others), axis=0)
    place = [str(name) for name in scaling.features].index(feature)
    varied[:, place] = others[:, place]
    return varied
