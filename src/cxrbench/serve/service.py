"""What the routes ask for: uploads in, answers out."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from cxrbench.bundle import Bundle
from cxrbench.explain.bundled import Explainer
from cxrbench.predict import Answer, Given, Predictor, Prepared
from cxrbench.serve.asking import CAM, HEAT_METHODS, HeatMethod, chosen, given_in
from cxrbench.serve.decoders import Decoders
from cxrbench.serve.documents import BundleDocument, PredictionDocument
from cxrbench.serve.films import Picture, picture_upload, prepare_upload
from cxrbench.serve.heat import LONGEST_SIDE, heat_png
from cxrbench.serve.metrics import Metrics
from cxrbench.serve.model_thread import ModelThread
from cxrbench.serve.refusals import bad_form, busy
from cxrbench.serve.settings import ServeSettings
from cxrbench.serve.uploads import Upload, UploadMemory
from cxrbench.serve.writing import Moved, bundle_document, facts_document, moved_of, prediction_document

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Served:
    """A bundle whose networks are in memory and gave the reference answer; without their code it has no heat maps."""

    name: str
    bundle: Bundle
    predictor: Predictor
    explainer: Explainer

    @cached_property
    def methods(self) -> tuple[HeatMethod, ...]:
        """Methods of heat maps that its networks answer, the usual one first; none where their code is not here."""
        if self.explainer.obstacle:
            return ()
        return HEAT_METHODS if CAM in self.explainer.methods() else tuple(one for one in HEAT_METHODS if one != CAM)

    @cached_property
    def document(self) -> BundleDocument:
        """What the API says of it."""
        return bundle_document(self.name, self.bundle, self.methods, no_heat_maps=self.explainer.obstacle)

    def answers(self, films: Sequence[Prepared]) -> list[tuple[Answer, Moved]]:
        """Answers about a batch, and what non-image features moved in each."""
        answers = self.predictor.predict_prepared(films)
        return [
            (answer, moved_of(self.explainer.feature_effects(film, answer.logits)))
            for film, answer in zip(films, answers, strict=True)
        ]

    def heat(self, film: Prepared, finding: str, method: HeatMethod) -> "Heat":
        """One finding's heat map; by another method where the networks refuse this one on the film."""
        used, heat = self.explainer.by_working_method(
            method, lambda each: self.explainer.heat_prepared(film, finding, method=each, longest_side=LONGEST_SIDE)
        )
        return Heat(heat_png(heat), has_evidence=bool(heat.any()), method=used)


@dataclass(frozen=True)
class Heat:
    """A heat map as PNG, whether anything speaks for the finding at all, and the method that made it."""

    png: bytes
    has_evidence: bool
    method: str


def open_bundles(bundles: Mapping[str, Bundle], settings: ServeSettings) -> dict[str, Served]:
    """Load the networks of all bundles.

    Raises:
        BundleError: One gives another answer on this machine than when it was made.
        ConfigError: No such backend.
    """
    return {
        name: Served(name, bundle, _predictor(bundle, settings), Explainer(bundle)) for name, bundle in bundles.items()
    }


def _predictor(bundle: Bundle, settings: ServeSettings) -> Predictor:
    return Predictor(bundle) if settings.backend is None else Predictor(bundle, backend=settings.backend)


class Service:
    """Bundles at work, between ``start`` and ``stop``.

    Attributes:
        served: By name; the first is asked where a request names none.
        settings: Limits.
        metrics: What is counted.
        memory: That uploads share.
    """

    def __init__(self, served: Mapping[str, Served], settings: ServeSettings) -> None:
        self.served, self.settings = served, settings
        self.metrics, self.memory = Metrics(), UploadMemory(settings.upload_memory_bytes)
        self._admitted = 0
        self._decoders: Decoders | None = None
        self._model: ModelThread | None = None
        self.metrics.watch_queue(lambda: self._admitted)

    def start(self) -> None:
        """Start the processes that decode and the thread that asks the networks."""
        own = self.settings
        self._decoders = Decoders(own.workers, seconds=own.time_limit_s)
        self._model = ModelThread(
            batch=own.batch,
            wait_s=own.batch_wait_ms / 1000,
            observe=self.metrics.batches.observe,
            coming=lambda: self._admitted,
        )

    def stop(self) -> None:
        """Finish what was begun."""
        if self._model is not None and self._decoders is not None:
            self._model.close()
            self._decoders.close()

    @property
    def is_ready(self) -> bool:
        """Return whether films can be answered."""
        return self._model is not None and self._model.is_alive and self._decoding.is_ready

    async def predict(self, upload: Upload) -> PredictionDocument:
        """Every finding of one film.

        Raises:
            Refusal: A field or the film cannot be used, or there is no room for it now.
        """
        served, given = self._asked(upload), given_in(upload.fields)
        with self._admission():
            film, known = await self._prepared(upload, served, given)
            answer, moved = await self._ask(served.answers, known)
        facts, seen = facts_document(film.facts, given), served.explainer.seen(film)
        return prediction_document(
            served.document, served.bundle, film, answer=answer, facts=facts, moved=moved, seen=seen
        )

    async def explain(self, upload: Upload) -> Heat:
        """One finding's heat map.

        Raises:
            Refusal: As ``predict``.
        """
        served, given = self._asked(upload), given_in(upload.fields)
        if served.explainer.obstacle:
            raise bad_form(f"bundle {served.name!r} has no heat maps here", served.explainer.obstacle)
        finding = chosen(upload.fields, "finding", served.bundle.answered)
        named = chosen(upload.fields, "method", served.methods, default=served.methods[0])
        method = next(one for one in served.methods if one == named)
        with self._admission():
            _, known = await self._prepared(upload, served, given)
            return await self._ask(lambda films: [served.heat(film, finding, method) for film in films], known)

    async def picture(self, upload: Upload) -> Picture:
        """The film to look at.

        Raises:
            Refusal: The film cannot be used, or there is no room for it now.
        """
        with self._admission():
            return await self._decoding.run(picture_upload, upload.film, self.settings.max_pixels)

    @property
    def _decoding(self) -> Decoders:
        if self._decoders is None:
            raise busy("the server is starting")
        return self._decoders

    def _asked(self, upload: Upload) -> Served:
        """The bundle that a form names; the first where it names none."""
        names = tuple(self.served)
        return self.served[chosen(upload.fields, "bundle", names, default=names[0])]

    async def _prepared(self, upload: Upload, served: Served, given: Given) -> tuple[Prepared, Prepared]:
        """A film shrunk for a bundle, with the facts of its header, and with what is given in their place."""
        sizes = served.bundle.store_sizes
        film = await self._decoding.run(prepare_upload, upload.film, sizes, self.settings.max_pixels)
        return film, replace(film, facts=given.over(film.facts))

    async def _ask(self, work: Callable[[Sequence[T]], Sequence[R]], item: T) -> R:
        """Let the model's thread do some work; whoever leaves meanwhile is taken out of its queue."""
        if self._model is None or not self._model.is_alive:
            raise busy("the server is starting or stopping")
        try:
            async with asyncio.timeout(self.settings.time_limit_s):
                return await asyncio.wrap_future(self._model.submit(work, item))
        except TimeoutError:
            raise busy(f"no answer within {self.settings.time_limit_s} s") from None

    @contextmanager
    def _admission(self) -> Iterator[None]:
        """Let a film in, if it fits into the queue."""
        if self._admitted >= self.settings.queue:
            raise busy(f"{self.settings.queue} films wait already")
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1
