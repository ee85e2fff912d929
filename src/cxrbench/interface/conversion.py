"""Scores as the evaluation takes them, from arrays, frames of polars or pandas, and files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from cxrbench.errors import DataError
from cxrbench.evaluate.held_out import HeldOut, Scores
from cxrbench.evaluate.matching import Predictions, finding_columns, image_column, read_predictions
from cxrbench.evaluate.truth import GIVEN, Labels, held_out, matched_images, require_same_labels
from cxrbench.runs import RunName


class OtherFrame(Protocol):
    """A data frame of another library, such as pandas."""

    @property
    def columns(self) -> Any:
        """Names of the columns."""
        ...


Given: TypeAlias = ArrayLike | pl.DataFrame | OtherFrame | str | Path
"""Scores or labels: an array (N,) or (N, L), a frame with a column per finding, or the path of a file."""
Patients: TypeAlias = ArrayLike | str | None
"""Patient of each image (N,), the name of their column, or None: as the labels say."""

IMAGE, PATIENT = "image_id", "patient_id"


def scores_of(name: str, given: Given, labels: Labels) -> pl.DataFrame:
    """Return a model's scores under the labels' own image names: ``image_id``, then a column per finding.

    Args:
        name: Name of the model, for messages.
        given: Scores, in any unit; those of a file are probabilities.
        labels: Labels that the model is measured against.

    Raises:
        DataError: A file or frame has no finding of the labels, or an image without label.
        ValueError: Shapes do not fit, or a score is no number.
    """
    if isinstance(given, str | Path):
        predictions = read_predictions(Path(given), vocabulary=labels.vocabulary)
        require_same_labels(predictions, labels)
        return predictions.scores.with_columns(matched_images(predictions, labels))
    sheet, where = frame_of(given, labels.findings), Path(name)
    image = image_name_column(sheet, where)
    columns = finding_columns(sheet, labels.vocabulary, where)
    values = {finding: _finite(sheet[column], name) for column, finding in columns.items()}
    if image is not None:
        scores = pl.DataFrame({IMAGE: sheet[image].cast(pl.String), **values})
        return scores.with_columns(matched_images(Predictions(name, where, scores, columns, ()), labels))
    if sheet.height != labels.table.height:
        raise ValueError(f"model {name!r} has {sheet.height} rows, the labels have {labels.table.height}")
    return pl.DataFrame({IMAGE: labels.table[IMAGE], **values})


def measured_images(scores: Mapping[str, pl.DataFrame], labels: Labels) -> tuple[HeldOut, list[Scores]]:
    """Return the images and findings that all models have, and the models' scores of them in one order.

    Raises:
        DataError: There are none.
    """
    images = set.intersection(*(set(frame[IMAGE]) for frame in scores.values()))
    shared = [name for name in labels.findings if all(name in frame.columns for frame in scores.values())]
    for what, found in (("image", images), ("finding", shared)):
        if not found:
            raise DataError(f"labels and {', '.join(scores)} have no {what} in common; there is nothing to measure")
    truth = held_out(labels, pl.Series(sorted(images)), shared)
    rows = truth.images.select(IMAGE)
    return truth, [
        Scores(
            RunName(name, GIVEN, 0),
            rows.join(frame, on=IMAGE, how="left", maintain_order="left").select(truth.findings).to_numpy(),
        )
        for name, frame in scores.items()
    ]


def frame_of(given: Any, findings: Sequence[str] | None) -> pl.DataFrame:
    """Return an array, or a frame of any library, as a frame of polars; the index of pandas is left out.

    Args:
        given: Array (N,) or (N, L), a frame, or columns by name.
        findings: Names of the columns of an array.

    Raises:
        ValueError: The array has another number of columns or dimensions.
    """
    if isinstance(given, pl.DataFrame):
        return given
    return pl.DataFrame(given) if isinstance(given, Mapping) or hasattr(given, "columns") else _sheet(given, findings)


def _sheet(given: Any, findings: Sequence[str] | None) -> pl.DataFrame:
    """Return an array (N,) or (N, L) as a frame with a column per finding."""
    array = np.asarray(given, dtype=np.float64)
    if array.ndim not in {1, 2}:
        raise ValueError(f"expected an array (N,) or (N, L), got {array.shape}")
    values = array[:, None] if array.ndim == 1 else array
    width = values.shape[1]
    names = findings or (["finding"] if width == 1 else [f"finding {number + 1}" for number in range(width)])
    if len(names) != width:
        raise ValueError(f"an array of shape {array.shape} has no column for each of {', '.join(names)}")
    return pl.DataFrame(values, schema=list(names))


def image_name_column(sheet: pl.DataFrame, where: Path) -> str | None:
    """Return the column of image names; None without one."""
    try:
        return image_column(sheet, where)
    except DataError:
        return None


def _finite(column: pl.Series, model: str) -> pl.Series:
    """Return scores as floats; each must be a number."""
    values = column.cast(pl.Float64, strict=False)
    if (odd := ~values.is_finite().fill_null(False)).any():
        row = int(odd.arg_true()[0])
        raise ValueError(f"model {model!r}, column {column.name!r}, row {row + 1}: {column[row]!r} is not a number")
    return values
