"""Films to explain: images of the study's table, or any image file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxrbench.data.delivery import Part
from cxrbench.data.features import CODES
from cxrbench.data.geometry import Frame
from cxrbench.data.images import read_grey
from cxrbench.errors import ConfigError, DataError, StudyError
from cxrbench.explain.trained import OpenStudy, Trained


@dataclass(frozen=True)
class Patient:
    """What is known of whom a film shows; None is unknown.

    Raises:
        ConfigError: A sex or view that no network knows.
    """

    age_years: float | None = None
    sex: str | None = None
    view: str | None = None

    def __post_init__(self) -> None:
        for name, codes in CODES.items():
            if (given := getattr(self, name)) is not None and given not in codes:
                raise ConfigError(f"{name} {given!r} is neither {' nor '.join(codes)}")


@dataclass(frozen=True)
class Film:
    """One film and what the network gets of it.

    Attributes:
        name: Of the image, without ending.
        pixels: (H, W) grey values.
        frame: How it becomes the network's input.
        part: The network's input.
        row: One row of a table with ``image_id, patient_id, age_years, sex, view``.
    """

    name: str
    pixels: NDArray[np.uint8]
    frame: Frame
    part: Part
    row: pl.DataFrame


def find_film(image: str, study: OpenStudy, run: Trained, patient: Patient) -> Film:
    """A film by its name in the study's table, else by the path of its file.

    Args:
        image: ``image_id``, or a path.
        study: Whose run is asked.
        run: Which is asked.
        patient: What is known; for an image of the table, what is given here takes the place of what it says.

    Raises:
        StudyError: Neither an image of the table nor a file.
        DataError: The file cannot be read.
    """
    if study.table["image_id"].is_in([image]).any():
        return _listed(study, run, study.rows([image]), patient)
    if not Path(image).is_file():
        raise StudyError(f"{image!r} is neither an image of {study.folder} nor a file")
    pixels = read_grey(Path(image))
    frame = run.frame(*pixels.shape)
    row = _known(pl.DataFrame({"image_id": [image], "patient_id": [None]}, schema_overrides=dict.fromkeys(
        ("image_id", "patient_id"), pl.String)), patient)  # fmt: skip
    part = run.part_of(frame.shrink(pixels)[None], np.zeros(1, np.int64), row)
    return Film(Path(image).stem, pixels, frame, part, row)


def _listed(study: OpenStudy, run: Trained, row: pl.DataFrame, patient: Patient) -> Film:
    """A film of the table; where its file is gone, the store's copy stands in for the picture."""
    image_id = row["image_id"][0]
    frame = run.frame(*study.frames[image_id])
    known = _known(row, patient)
    part = run.part(study, known)
    try:
        pixels = read_grey(study.archive / row["path"][0])
    except DataError:
        pixels = frame.restore(part.pixels[part.rows[0]])
    return Film(Path(image_id).stem, pixels, frame, part, known)


def _known(row: pl.DataFrame, patient: Patient) -> pl.DataFrame:
    """The row with what is given of the patient."""
    types = {"age_years": pl.Float32, "sex": pl.String, "view": pl.String}
    given = {name: pl.lit(getattr(patient, name), dtype=kind) for name, kind in types.items()}
    return row.with_columns(
        pl.coalesce(value, name).alias(name) if name in row.columns else value.alias(name)
        for name, value in given.items()
    )
