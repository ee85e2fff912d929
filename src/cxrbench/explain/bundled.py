"""What a bundle looks at, and what age, sex and view moved: one film, no study at hand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from cxrbench.bundle import Bundle, Member
from cxrbench.bundle.answers import mean_probability
from cxrbench.bundle.inputs import network_input
from cxrbench.bundle.population import UNKNOWN, Population
from cxrbench.config import Feature
from cxrbench.data.images import Film
from cxrbench.explain.activations import Asked
from cxrbench.explain.contributions import COLUMNS, Answer
from cxrbench.explain.framing import Frame, input_frame
from cxrbench.explain.maps import Method, answered_methods, cam_problem, heat_maps
from cxrbench.explain.overlay import Rectangle, normalised
from cxrbench.models.classifier import Classifier
from cxrbench.predict import Prepared, prepare_film

Numbers = NDArray[np.float32]
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


class Explainer:
    """A bundle's networks, asked where and why; on the CPU, in single precision.

    Attributes:
        bundle: Whose answers are explained.
    """

    def __init__(self, bundle: Bundle) -> None:
        """Load the networks.

        Raises:
            BundleError: The weights are not those of the bundle's networks.
        """
        self.bundle = bundle
        self._classifiers = tuple(bundle.classifier(member) for member in bundle.members)

    def methods(self, asked: Sequence[Method] = ()) -> tuple[Method, ...]:
        """The methods of heat maps that are asked for; for none the usual ones that all networks answer.

        Raises:
            ConfigError: A network refuses one.
        """
        return answered_methods(asked, self._cam_problem)

    @cached_property
    def _cam_problem(self) -> str | None:
        """Why a network has no class activation maps; None where all have."""
        members = zip(self.bundle.members, self._classifiers, strict=True)
        sized = ((classifier, member.approach.input.image_size) for member, classifier in members)
        problems = (cam_problem(classifier, image_size=size) for classifier, size in sized)
        return next((problem for problem in problems if problem is not None), None)

    def heat(self, film: Film, finding: str, *, method: Method | None = None, member: int | None = None) -> Numbers:
        """Heat map of one finding in the coordinates of the film (H, W), float32 in 0..1.

        The map's own maximum is 1, what is negative or was not seen is 0; all is 0 where nothing speaks for the
        finding. So two maps do not compare: the probability beside them says how much there is to explain.

        Args:
            film: With what is known of the patient.
            finding: One of the bundle's.
            method: Of ``maps.METHODS``; None: the first of ``methods``.
            member: Number of one network, from 0; None: the mean over all, each weighted with the slope of its
                calibration, so that all count in the same unit.

        Raises:
            ConfigError: A network refuses the method.
            ValueError: No such finding or member.
        """
        return self.heat_prepared(prepare_film(film, self.bundle.store_sizes), finding, method=method, member=member)

    def heat_prepared(
        self,
        film: Prepared,
        finding: str,
        *,
        method: Method | None = None,
        member: int | None = None,
        longest_side: int | None = None,
    ) -> Numbers:
        """As ``heat``, of a film that was shrunk before; ``longest_side`` bounds the map's size, pixels."""
        method = method or self.methods()[0]
        maps = [
            slope * np.nan_to_num(self._frame(film, one, longest_side).to_film(cells))
            for one, slope, cells in self._cells(film, finding, method, self._chosen(member))
        ]
        return np.asarray(normalised(np.mean(maps, axis=0)), np.float32)

    def seen(self, film: Prepared) -> Rectangle:
        """What the networks see of a film; of several, the one that sees most."""
        frames = (self._frame(film, member, None) for member in self.bundle.members)
        return max((frame.seen for frame in frames), key=lambda seen: seen[2] * seen[3])

    def feature_effects(self, film: Prepared, logits: NDArray[np.floating]) -> pl.DataFrame:
        """How far age, sex and view each moved the bundle's probabilities of one film.

        A feature is taken away by letting it vary as in the training part while film and other features stay
        (``contributions``); its distribution there is what the bundle's record says of it.

        Args:
            film: With what is known of the patient.
            logits: (M, K) of the answer, from ``Answer.logits``: no pass of the networks is needed.

        Returns:
            One row per feature and finding: ``feature, value, finding, probability, probability_change``; empty where
            no network uses a feature. ``value`` is null where it is unknown.
        """
        known: Known = {"age": film.facts.age_years, "sex": film.facts.sex, "view": film.facts.view}
        features = [member.feature_scaling.encode(_table(known)) for member in self.bundle.members]  # (1, F) each
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
    def _elsewhere(self) -> "dict[Feature, Elsewhere]":
        """What each feature is among the training films; no film changes it."""
        found = {}
        for feature in self.bundle.features:
            values, shares = distribution(self.bundle.record.population, feature)
            table = _table(dict.fromkeys(COLUMNS), feature, values)
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

    def _chosen(self, member: int | None) -> list[int]:
        """Numbers of the networks that are asked."""
        everyone = list(range(len(self.bundle.members)))
        if member is not None and member not in everyone:
            raise ValueError(f"the bundle has members 0 to {everyone[-1]}, not {member}")
        return everyone if member is None else [member]

    def _cells(
        self, film: Prepared, finding: str, method: Method, chosen: list[int]
    ) -> Iterator[tuple[Member, float, Numbers]]:
        """Each chosen network with its calibration's slope and its raw map (h, w)."""
        if finding not in self.bundle.answered:
            raise ValueError(f"unknown finding {finding!r}; this bundle has: {', '.join(self.bundle.answered)}")
        column = self.bundle.findings.index(finding)
        for number in chosen:
            member, classifier = self.bundle.members[number], self._classifiers[number]
            asked = _asked(film, member, column)
            yield member, member.calibrations[finding].slope, heat_maps(classifier, asked, method)[0]

    def _frame(self, film: Prepared, member: Member, longest_side: int | None) -> Frame:
        """How the film became the network's input."""
        frame = input_frame(member.approach.input, film.height, film.width)
        return frame if longest_side is None else frame.shrunk(longest_side)

    def _answers(self, features: list[Numbers], logits: NDArray[np.floating]) -> list[Answer]:
        """Each network's answer as a function of its features, which enter the last layer alone."""
        answers = []
        for own, classifier, logit in zip(features, self._classifiers, logits, strict=True):
            weights = _feature_weights(classifier)[self.bundle.columns]  # (K, F)
            answers.append(Answer(np.asarray(logit, np.float64) - weights @ own[0], weights))
        return answers

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


def _asked(film: Prepared, member: Member, column: int) -> Asked:
    """One film and one finding, as the member's network takes them."""
    pixels = network_input(film.squares[member.approach.input.store_size][None], member)  # (1, 1, H, W)
    known: Known = {"age": film.facts.age_years, "sex": film.facts.sex, "view": film.facts.view}
    features = member.feature_scaling.encode(_table(known))  # (1, F)
    return Asked(torch.from_numpy(pixels), torch.from_numpy(features), column)


def _table(known: Known, varied: Feature | None = None, values: list[object] | None = None) -> pl.DataFrame:
    """What is known as rows of a study's table: one, or one per value of the feature that varies."""
    rows = [known] if varied is None else [{**known, varied: value} for value in values or ()]
    return pl.DataFrame([{COLUMNS[name]: row[name] for name in COLUMNS} for row in rows], schema=SCHEMA)


def _feature_weights(classifier: Classifier) -> NDArray[np.float64]:
    """What one unit of each scaled feature adds to each logit: (L, F)."""
    weights = classifier.head.feature_weights.detach()
    return np.asarray(weights.double().numpy(), np.float64)
