"""A bundle at work: films in, answers out."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxrbench.bundle import Bundle, Member
from cxrbench.bundle.answers import is_present, mean_probability, percentiles
from cxrbench.bundle.inputs import network_input
from cxrbench.bundle.pixel_statistics import miniature
from cxrbench.bundle.population import unknown_features
from cxrbench.config import Feature
from cxrbench.data.images import Film
from cxrbench.predict.backends import AUTO, Backend
from cxrbench.predict.decoding import Outcome, decoded
from cxrbench.predict.opening import open_networks
from cxrbench.predict.prediction import Answer, Prediction
from cxrbench.predict.preparation import Prepared, Request, prepare_film
from cxrbench.progress import Track, silent

T = TypeVar("T")

BATCH = 16


class Predictor:
    """A bundle whose networks are in memory and gave the reference answer on this machine.

    Attributes:
        bundle: Whose answers these are.
        backend: What computes the logits; never ``auto``.
        passed_over: Faster backend -> why ``auto`` did not take it.
        largest_difference: From the reference output; NaN when it was not checked.
    """

    def __init__(
        self, bundle: Bundle, *, backend: str = AUTO, has_mirror: bool = False, is_checked: bool = True
    ) -> None:
        """Load the networks.

        Args:
            bundle: From ``load_bundle``.
            backend: What computes the logits; see ``open_networks``.
            has_mirror: Test-time augmentation: the mean of the film's logits and its mirror image's. Calibration and
                thresholds were fitted without.
            is_checked: Compare the reference output first.

        Raises:
            BundleError: The reference film has another output than when the bundle was made.
            ConfigError: No such backend.
        """
        self.bundle = bundle
        self.has_mirror = has_mirror
        opened = open_networks(bundle, backend, is_checked=is_checked)
        self.backend, self._backends = opened.backend, opened.networks
        self.largest_difference, self.passed_over = opened.largest_difference, opened.passed_over

    def predict_films(self, films: Sequence[Film]) -> list[Answer]:
        """Answers about films in memory, in their order."""
        prepared = [prepare_film(film, self.bundle.store_sizes) for film in films]
        return [answer for batch in _batches(prepared, BATCH) for answer in self.predict_prepared(batch)]

    def predict_files(
        self, requests: Sequence[Request], *, batch_size: int = BATCH, workers: int = 0, track: Track = silent
    ) -> Iterator[Prediction]:
        """Answers about files, in their order; one that cannot be read has its error instead.

        Args:
            requests: The files.
            batch_size: Films that the networks see together.
            workers: Processes that decode; 0: this one does.
            track: Shows progress; counts images.
        """
        outcomes = decoded(requests, self.bundle.store_sizes, workers=workers)
        predictions = (one for batch in _batches(outcomes, batch_size) for one in self._predict_batch(batch))
        yield from track(predictions, total=len(requests), label="predicting")

    def predict_prepared(self, films: Sequence[Prepared]) -> list[Answer]:
        """Answers about one batch of films that were shrunk before."""
        if not films:
            return []
        logits = self.logits(films)[..., self.bundle.columns]  # (M, B, K)
        findings, decisions = self.bundle.answered, self.bundle.record.decisions
        probabilities = mean_probability(self.bundle.members, findings, logits)  # (B, K)
        present = is_present(probabilities, findings, decisions)
        places = percentiles(probabilities, findings, decisions)
        return [
            Answer(
                logits=logits[:, i],
                probabilities=probabilities[i],
                is_present=present[i],
                percentiles=places[i],
                warnings=self.warnings_of(film),
            )
            for i, film in enumerate(films)
        ]

    def logits(self, films: Sequence[Prepared]) -> NDArray[np.float32]:
        """Logits (M, B, L) of one batch, those of withheld findings included."""
        members = zip(self.bundle.members, self._backends, strict=True)
        return np.stack([self._member_logits(member, backend, films) for member, backend in members])

    def _member_logits(self, member: Member, backend: Backend, films: Sequence[Prepared]) -> NDArray[np.float32]:
        size = member.approach.input.store_size
        pixels = network_input(np.stack([film.squares[size] for film in films]), member)
        features = member.feature_scaling.encode(_facts(films))
        logits = backend(pixels, features)
        if not self.has_mirror:
            return logits
        mirrored = backend(np.ascontiguousarray(pixels[..., ::-1]), features)
        return np.asarray((logits + mirrored) / 2, dtype=np.float32)

    def warnings_of(self, film: Prepared) -> tuple[str, ...]:
        """Why the answer about a film may be worth less than the bundle's card says."""
        record, facts = self.bundle.record, film.facts
        known: dict[Feature, object] = {"age": facts.age_years, "sex": facts.sex, "view": facts.view}
        return (
            *facts.warnings,
            *record.population.view_warnings(facts.view),
            *record.population.age_warnings(facts.age_years),
            *unknown_features(self.bundle.features, known),
            *record.pixel_statistics.warnings_of(miniature(film.smallest)),
            *self._size_warnings(film),
        )

    def _size_warnings(self, film: Prepared) -> tuple[str, ...]:
        largest = self.bundle.store_sizes[-1]
        if max(film.height, film.width) >= largest:
            return ()
        return (f"{film.width} x {film.height} pixels are fewer than the {largest} that the model sees: enlarged",)

    def _predict_batch(self, outcomes: Sequence[Outcome]) -> Iterator[Prediction]:
        """One batch, those among it that could not be read included."""
        answers = iter(self.predict_prepared([film for _, film in outcomes if isinstance(film, Prepared)]))
        for request, film in outcomes:
            if isinstance(film, Prepared):
                yield Prediction(path=str(request.path), answer=next(answers))
            else:
                yield Prediction(path=str(request.path), error=film)


def _facts(films: Sequence[Prepared]) -> pl.DataFrame:
    """Age, sex and view position as in a study's table."""
    facts = [(film.facts.age_years, film.facts.sex, film.facts.view) for film in films]
    return pl.DataFrame(facts, schema={"age_years": pl.Float32, "sex": pl.String, "view": pl.String}, orient="row")


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch
