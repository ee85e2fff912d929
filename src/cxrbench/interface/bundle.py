"""A bundle in Python: opened, and asked about films."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from cxrbench.errors import DataError
from cxrbench.interface.assessment import html_table

if TYPE_CHECKING:  # torch is slow to import
    from cxrbench.bundle import Bundle as BundleContents
    from cxrbench.predict import Prediction, Predictor


@dataclass(frozen=True)
class FilmAnswer:
    """A bundle's answer about one film.

    Attributes:
        path: Path of the film.
        findings: One row per finding: ``probability``, ``threshold`` from which it counts as present, ``is_present``
            and ``percentile`` among the validation images.
        warnings: Reasons why the answer may be worth less than the bundle's card says.
    """

    path: str
    findings: pl.DataFrame
    warnings: tuple[str, ...]

    def _repr_html_(self) -> str:
        said = "".join(f"<li>{escape(warning)}</li>" for warning in self.warnings)
        return f"<p>{escape(self.path)}</p>{html_table(self.findings)}<ul>{said}</ul>"


@dataclass(frozen=True)
class Bundle:
    """A trained model with all that is needed to use it, checked to be as it was made.

    Attributes:
        contents: Record, card and reference outputs.
    """

    contents: "BundleContents"

    @property
    def findings(self) -> tuple[str, ...]:
        """Names of the findings that are answered."""
        return self.contents.answered

    def predict(
        self, path: str | Path, *, age_years: float | None = None, sex: str | None = None, view: str | None = None
    ) -> FilmAnswer:
        """Answer about one film; it is decoded in this process.

        Args:
            path: PNG, JPEG, TIFF or DICOM file.
            age_years: Age of the patient, over the header's.
            sex: ``F`` or ``M``, over the header's.
            view: View position, such as ``PA``, over the header's.

        Raises:
            DataError: The film cannot be read.
            ValueError: The sex is neither.
            BundleError: The bundle gives another output for its reference film than when it was made.
        """
        if sex not in (None, "F", "M"):
            raise ValueError(f"sex must be F or M, got {sex!r}")
        from cxrbench.predict import gather  # noqa: PLC0415 - decoding is slow to import

        requests = gather([str(path)], age_years=age_years, sex=sex, view=view)
        if len(requests) != 1:
            raise DataError(f"{path} holds {len(requests)} films; predict answers about one")
        (prediction,) = self._predictor.predict_files(requests)
        return self._answer(prediction)

    @cached_property
    def _predictor(self) -> "Predictor":
        from cxrbench.predict import Predictor  # noqa: PLC0415 - torch is slow to import

        return Predictor(self.contents)

    def _answer(self, prediction: "Prediction") -> FilmAnswer:
        """Return an answer as a table."""
        answer, decisions = prediction.answer, self.contents.record.decisions
        if answer is None:
            raise DataError(f"{prediction.path}: {prediction.error}")
        columns = {
            "finding": self.findings,
            "probability": answer.probabilities,
            "threshold": [decisions[finding].threshold for finding in self.findings],
            "is_present": answer.is_present,
            "percentile": answer.percentiles,
        }
        return FilmAnswer(prediction.path, pl.DataFrame(columns), answer.warnings)

    def _repr_html_(self) -> str:
        notices = "".join(f"<li>{escape(notice)}</li>" for notice in self.contents.record.notices)
        return (
            f"<p><b>{escape(str(self.contents.folder))}</b>: {escape(', '.join(self.findings))}</p><ul>{notices}</ul>"
        )


def load_bundle(folder: str | Path, *, allowed_modules: Collection[str] = ()) -> Bundle:
    """Open a bundle and check that it is as it was made.

    Args:
        folder: Folder of the bundle.
        allowed_modules: Python modules that it may import to build its networks.

    Raises:
        BundleError: It is no bundle, or was altered.

    Example:
        >>> bundle = load_bundle("bundle")
        >>> answer = bundle.predict("film.png", age_years=60, sex="F", view="PA")
        >>> answer.findings.columns
        ['finding', 'probability', 'threshold', 'is_present', 'percentile']
    """
    from cxrbench import bundle  # noqa: PLC0415 - whoever opens a study does not wait for it

    return Bundle(bundle.load_bundle(Path(folder), allowed_modules=allowed_modules))
