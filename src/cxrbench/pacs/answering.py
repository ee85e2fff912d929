"""A DICOM film -> its answer as DICOM objects: report, heat maps, boxes."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray

from cxrbench.errors import ConfigError
from cxrbench.explain.bundled import Explainer
from cxrbench.explain.maps import Method
from cxrbench.explain.overlay import Rectangle
from cxrbench.pacs.capture import SIDE, make_capture, paint
from cxrbench.pacs.decoding import Decoded, Decoder
from cxrbench.pacs.equipment import author_of
from cxrbench.pacs.findings import Told, to_show, told
from cxrbench.pacs.peak import peak_box
from cxrbench.pacs.presentation import Boxed, make_presentation
from cxrbench.pacs.report import make_report
from cxrbench.pacs.source import Source, read_source
from cxrbench.predict import Predictor

SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Results:
    """What one film's answer is as DICOM.

    Attributes:
        report: Structured report.
        captures: Secondary captures, one per finding shown.
        presentation: Boxes of the findings shown; None where there are none, or the film is coloured.
    """

    report: pydicom.Dataset
    captures: tuple[pydicom.Dataset, ...]
    presentation: pydicom.Dataset | None

    @property
    def all(self) -> tuple[pydicom.Dataset, ...]:
        """All objects, the report first."""
        return (self.report, *self.captures, *([self.presentation] if self.presentation else []))


@dataclass(frozen=True)
class Shown:
    """The findings of one film that get a picture.

    Attributes:
        method: Method of their heat maps; without heat maps it says nothing.
        maps: Findings and their heat maps.
        warnings: What must be said of the method, in words.
    """

    method: Method = "cam"
    maps: tuple[tuple[Told, NDArray[np.float32]], ...] = ()
    warnings: tuple[str, ...] = ()


class Answerer:
    """A bundle that answers DICOM films with DICOM objects."""

    def __init__(self, predictor: Predictor, *, most_shown: int = SHOWN, method: Method | None = None) -> None:
        """Load what heat maps need beside the predictor.

        Args:
            predictor: The bundle at work.
            most_shown: Findings over their threshold that get a heat map and a box, at most.
            method: Method of the heat maps; None: class activation maps, or what is usual where a network has none.
                Another one is used where a network refuses it; ``notes`` say so.
        """
        self.predictor, self.bundle = predictor, predictor.bundle
        self._author = author_of(self.bundle)
        self._most_shown, self._explainer = most_shown, Explainer(self.bundle)
        self._method, note = self._chosen(method)
        self.notes = () if note is None else (note,)
        self._decoder = Decoder(self.bundle.store_sizes, side=SIDE)

    def _chosen(self, method: Method | None) -> tuple[Method | None, str | None]:
        """The method of heat maps, None where there are none, and what must be said of the choice."""
        if self._explainer.obstacle:
            return None, f"no heat maps and no boxes: {self._explainer.obstacle}"
        return self._explainer.method_for(method)

    def close(self) -> None:
        """End the process that decodes."""
        self._decoder.close()

    def answer(self, path: Path) -> Results:
        """Answer one film.

        Raises:
            DataError: Not a DICOM file, or it lacks what results must refer to.
            Unanswerable: Its pixels cannot be read.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's, about values that are copied as they are
            source = read_source(path)
            return self.results(source, self._decoder.decode(path))

    def results(self, source: Source, film: Decoded) -> Results:
        """The results for a film that was decoded before."""
        answer = self.predictor.predict_prepared([film.prepared])[0]
        findings = told(self.bundle, answer)
        shown = self._shown(film, to_show(findings))
        boxed = tuple(_boxed(source, one, heat) for one, heat in shown.maps)
        has_presentation = bool(boxed) and source.is_grey
        return Results(
            report=make_report(source, self._author, findings, (*answer.warnings, *shown.warnings)),
            captures=tuple(self._captures(source, film, shown)),
            presentation=make_presentation(source, self._author, boxed, method=shown.method)
            if has_presentation
            else None,
        )

    def _captures(self, source: Source, film: Decoded, shown: Shown) -> Iterator[pydicom.Dataset]:
        """A picture of each heat map."""
        seen = self._seen(film)
        for number, (one, heat) in enumerate(shown.maps, start=1):
            picture = paint(film.preview, heat, one, seen=seen)
            yield make_capture(source, self._author, one, picture, number=number, method=shown.method)

    def _seen(self, film: Decoded) -> Rectangle:
        """What the networks see of the film, in pixels of its preview."""
        x, y, width, height = self._explainer.seen(film.prepared)
        scale = film.preview.shape[1] / film.prepared.width
        return x * scale, y * scale, width * scale, height * scale

    def _shown(self, film: Decoded, findings: tuple[Told, ...]) -> Shown:
        """The first findings with their heat maps, all by one method; without maps where every method is refused."""
        if self._method is None:
            return Shown()
        try:
            method, maps = self._explainer.by_working_method(
                self._method, lambda method: tuple(islice(self._maps(film, findings, method), self._most_shown))
            )
        except ConfigError as refusal:
            return Shown(warnings=(f"no heat maps and no boxes: {refusal}",))
        if method == self._method:
            return Shown(method, maps)
        return Shown(method, maps, (f"heat maps are by {method}, as a network refuses {self._method} on this film",))

    def _maps(
        self, film: Decoded, findings: tuple[Told, ...], method: Method
    ) -> Iterator[tuple[Told, NDArray[np.float32]]]:
        """Findings with their heat maps, as large as the preview; without those for which nothing speaks."""
        for one in findings:
            heat = self._explainer.heat_prepared(film.prepared, one.finding, method=method, longest_side=SIDE)
            if heat.max() > 0:
                yield one, heat


def _boxed(source: Source, one: Told, heat: NDArray[np.float32]) -> Boxed:
    """The peak of a map in the film's own pixels."""
    down, across = source.image.Rows / heat.shape[0], source.image.Columns / heat.shape[1]
    x, y, width, height = peak_box(heat)
    return Boxed(one, (x * across, y * down, width * across, height * down))
