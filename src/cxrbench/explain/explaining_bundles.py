"""One film explained by a bundle alone: overlays and arrays per finding, and what age, sex and view moved."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from cxrbench.bundle import Bundle
from cxrbench.data.images import Film, read_film
from cxrbench.explain.bundled import Explainer
from cxrbench.explain.explaining import ANSWERS_FILE, FEATURES_FILE, Explaining, asked_findings, file_stem, write_map
from cxrbench.explain.overlay import Captioned, said
from cxrbench.files import replaced_folder
from cxrbench.predict import Answer, Predictor, Request, prepare_film


@dataclass(frozen=True)
class Explained:
    """What a bundle says of one film.

    Attributes:
        answers: One row per finding: ``finding, probability, is_calibrated, is_present, percentile``.
        warnings: Why the answer may be worth less than the bundle's card says.
    """

    answers: pl.DataFrame
    warnings: tuple[str, ...]


class BundleExplainer:
    """A bundle that answers about films, and says why."""

    def __init__(self, bundle: Bundle) -> None:
        """Load the networks.

        Raises:
            BundleError: The weights are not the bundle's, this installation computes differently, or code that builds a
                network is not installed or not allowed.
        """
        self._explainer = Explainer(bundle)
        self._explainer.require_networks()
        self._predictor = Predictor(bundle, backend="torch")

    def explain(self, request: Request, out: Path, *, how: Explaining) -> Explained:
        """Write a film's maps, and what each non-image feature moved, into ``out``; an earlier one is replaced.

        Args:
            request: The film's file, and what is known beside its header.
            out: Gets ``<finding>-<method>.png`` and ``.npy`` (float32, (H, W) of the film, 0..1 of the map's own
                maximum), ``answers.csv`` and, where a network uses them, ``features.csv``.
            how: What is asked; each method reads its own stage.

        Raises:
            DataError: The file cannot be read.
            StudyError: An unknown finding.
            ConfigError: A method that one of the networks does not have.
        """
        how = replace(how, methods=self._explainer.methods(how.methods))
        film = read_film(request.path)
        film = replace(film, facts=request.over(film.facts))
        prepared = prepare_film(film, self._explainer.bundle.store_sizes)
        answer = self._predictor.predict_prepared([prepared])[0]
        answers = _table(self._explainer.bundle, answer)
        asked = asked_findings(how.findings, answers, self._explainer.bundle.record.vocabulary)
        with replaced_folder(out) as scratch:
            answers.write_csv(scratch / ANSWERS_FILE)
            for finding in asked:
                row = answers.row(by_predicate=pl.col("finding") == finding, named=True)
                text = said(finding, row["probability"], is_calibrated=row["is_calibrated"])
                caption = Captioned(text, np.empty((0, 4)), self._explainer.seen(prepared))
                self._write_maps(film, finding, caption, scratch, how=how)
            if self._explainer.bundle.features:
                effects = self._explainer.feature_effects(prepared, answer.logits)
                effects.write_csv(scratch / FEATURES_FILE)
        return Explained(answers, answer.warnings)

    def _write_maps(self, film: Film, finding: str, caption: Captioned, folder: Path, *, how: Explaining) -> None:
        """One finding's maps as arrays and pictures."""
        for method in how.methods:
            heat = self._explainer.heat(film, finding, method=method)
            write_map(folder / file_stem(finding), film.pixels, heat, caption, method=method)


def _table(bundle: Bundle, answer: Answer) -> pl.DataFrame:
    """An answer, one row per finding."""
    columns = {
        "finding": bundle.answered,
        "probability": answer.probabilities,
        "is_calibrated": [bundle.is_calibrated(finding) for finding in bundle.answered],
        "is_present": answer.is_present,
        "percentile": answer.percentiles.round(2),
    }
    return pl.DataFrame(columns, schema_overrides={"is_present": pl.Boolean})
