"""How far age, sex and view each moved a bundle's answer about one film; needs no network, only its last weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxrbench.bundle import Bundle
from cxrbench.bundle.answers import mean_probability
from cxrbench.bundle.population import UNKNOWN, Population
from cxrbench.config import Feature
from cxrbench.explain.contributions import COLUMNS, Answer
from cxrbench.predict import Prepared

Numbers = NDArray[np.float32]
Weights = NDArray[np.float64]
Known = dict[Feature, object]

AGES = 101
"""Points of the training part's distribution of ages that an answer is averaged over."""
EFFECTS = dict.fromkeys(("feature", "value", "finding"), pl.String) | dict.fromkeys(
    ("probability", "probability_change"), pl.Float64
)
SCHEMA = {"age_years": pl.Float32, "sex": pl.String, "view": pl.String}


@dataclass(frozen=True)
class Elsewhere:
    """A feature among the training films.

    Attributes:
        shares: (K,) how many have each of its values.
        encoded: Of each network, (K, F) the values as it takes them, the other features unknown.
    """

    shares: NDArray[np.float64]
    encoded: tuple[Numbers, ...]


class FeatureEffects:
    """Takes each feature away from an answer, by the weights that the networks give to features."""

    def __init__(self, bundle: Bundle, weights: Sequence[Weights]) -> None:
        """Take what each of the bundle's networks adds to its logits for one unit of each scaled feature: (L, F)."""
        self.bundle, self._weights = bundle, tuple(own[bundle.columns] for own in weights)  # (K, F) each

    def of(self, film: Prepared, logits: NDArray[np.floating]) -> pl.DataFrame:
        """Return how far each feature moved the bundle's probabilities of one film.

        A feature is taken away by letting it vary as in the training part while film and other features stay
        (``contributions``); its distribution there is what the bundle's record says of it.

        Args:
            film: With what is known of the patient.
            logits: (M, K) of the answer, from ``Answer.logits``: no pass of the networks is needed.

        Returns:
            One row per feature and finding: ``feature, value, finding, probability, probability_change``; empty where
            no network uses a feature. ``value`` is null where it is unknown.
        """
        known = known_of(film)
        features = [member.feature_scaling.encode(table_of(known)) for member in self.bundle.members]  # (1, F) each
        answers = self._answers(features, logits)
        probability = self._probabilities(answers, features)[0]  # (K,)
        tables = [pl.DataFrame(schema=EFFECTS)]
        for feature, elsewhere in self._elsewhere.items():
            varied = self._probabilities(answers, self._varied(features, feature))  # (values, K)
            value = None if known[feature] is None else str(known[feature])
            columns = {
                "feature": [feature] * len(probability),
                "value": [value] * len(probability),
                "finding": self.bundle.answered,
                "probability": probability,
                "probability_change": probability - elsewhere.shares @ varied,
            }
            tables.append(pl.DataFrame(columns, schema=EFFECTS))
        return pl.concat(tables)

    @cached_property
    def _elsewhere(self) -> dict[Feature, Elsewhere]:
        """What each feature is among the training films; no film changes it."""
        found = {}
        for feature in self.bundle.features:
            values, shares = distribution(self.bundle.record.population, feature)
            table = table_of(dict.fromkeys(COLUMNS), feature, values)
            encoded = tuple(member.feature_scaling.encode(table) for member in self.bundle.members)
            found[feature] = Elsewhere(shares, encoded)
        return found

    def _varied(self, features: list[Numbers], feature: Feature) -> list[Numbers]:
        """Each network's features (K, F) of the patient, were one of them as it is elsewhere."""
        varied = []
        for member, own, others in zip(self.bundle.members, features, self._elsewhere[feature].encoded, strict=True):
            rows = np.repeat(own, len(others), axis=0)
            columns = [name == feature for name in member.feature_scaling.features]
            rows[:, columns] = others[:, columns]
            varied.append(rows)
        return varied

    def _answers(self, features: list[Numbers], logits: NDArray[np.floating]) -> list[Answer]:
        """Each network's answer as a function of its features, which enter the last layer alone."""
        return [
            Answer(np.asarray(logit, np.float64) - weights @ own[0], weights)
            for own, weights, logit in zip(features, self._weights, logits, strict=True)
        ]

    def _probabilities(self, answers: list[Answer], features: list[Numbers]) -> NDArray[np.float64]:
        """The bundle's probabilities (N, K) of the film with each network's features (N, F)."""
        logits = np.stack([answer(own) for answer, own in zip(answers, features, strict=True)])
        return mean_probability(self.bundle.members, self.bundle.answered, logits)


def distribution(population: Population, feature: Feature) -> tuple[list[object], NDArray[np.float64]]:
    """Values of a feature in the training part, unknown as None, and their shares (K,)."""
    if feature == "age":
        values, counts = _ages(population)
    else:
        listed = population.sexes if feature == "sex" else population.views
        values, counts = [None if name == UNKNOWN else name for name in listed], list(listed.values())
    return values, np.asarray(counts, np.float64) / max(sum(counts), 1)


def _ages(population: Population) -> tuple[list[object], list[float]]:
    """Ages between the recorded quantiles, evenly over the patients, and how many images each stands for."""
    if not population.age_quantiles:
        return [None], [1.0]
    percents, years = zip(*sorted(population.age_quantiles.items()), strict=True)
    ages = np.interp((np.arange(AGES) + 0.5) / AGES * 100, percents, years)
    known = (population.images - population.unknown_ages) / AGES
    return [*ages.tolist(), None], [*[known] * AGES, float(population.unknown_ages)]


def known_of(film: Prepared) -> Known:
    """Return what is known of a film's patient and exposure."""
    return {"age": film.facts.age_years, "sex": film.facts.sex, "view": film.facts.view}


def table_of(known: Known, varied: Feature | None = None, values: list[object] | None = None) -> pl.DataFrame:
    """Return what is known as rows of a study's table: one, or one per value of the feature that varies."""
    rows = [known] if varied is None else [{**known, varied: value} for value in values or ()]
    return pl.DataFrame([{COLUMNS[name]: row[name] for name in COLUMNS} for row in rows], schema=SCHEMA)
