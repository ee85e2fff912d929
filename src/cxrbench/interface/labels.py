"""Labels as the evaluation takes them, from arrays, frames and label files; and what they can show."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray

from cxrbench.config import Vocabulary, load_vocabulary
from cxrbench.data.tables.releases import NIH
from cxrbench.evaluate import power as planning
from cxrbench.evaluate import truth
from cxrbench.evaluate.truth import Labels
from cxrbench.interface.conversion import IMAGE, PATIENT, Given, Patients, frame_of, image_name_column
from cxrbench.runs import TABLE_COLUMNS

LABELS = Path("labels")
"""Stands for the file in messages about labels that have none."""


def read_labels(
    path: str | Path, *, table_format: str | Path | None = None, vocabulary: Vocabulary | str | None = None
) -> Labels:
    """Read the label file of an archive, or a study's ``table.parquet``; ``table`` of the result is a polars frame.

    Args:
        path: Label file.
        table_format: Name or YAML of its format; unless given, as its columns show.
        vocabulary: Findings to read, or their name; unless given, those of the format.

    Raises:
        DataError: It cannot be read as its format says.

    Example:
        >>> labels = read_labels("study/table.parquet")
        >>> labels.table.columns[:3], labels.findings[:2]
        (['image_id', 'path', 'patient_id'], ('Atelectasis', 'Cardiomegaly'))
    """
    form = None if table_format is None else Path(table_format)
    return truth.read_labels(Path(path), table_format=form, vocabulary=_vocabulary(vocabulary))


def power(
    labels: str | Path,
    *,
    difference: float = 0.01,
    images: str | Path | None = None,
    table_format: str | Path | None = None,
    vocabulary: Vocabulary | str | None = None,
    seed: int = 0,
) -> pl.DataFrame:
    """Return what a test set can show: the smallest detectable difference, and the power for a given one.

    Args:
        labels: Label file, or a study's ``table.parquet``.
        difference: Difference in AUC to show, 0 to 0.5.
        images: Names of the test images, one a line; all unless given.
        table_format: Name or YAML of the labels' format; unless given, as its columns show.
        vocabulary: Findings to read, or their name; unless given, those of the format.
        seed: Seed of the simulation.

    Raises:
        DataError: A file cannot be read.
        ValueError: The difference is out of range.

    Example:
        >>> power("study/table.parquet", difference=0.1)["finding"][-1]
        'mean'
    """
    return planning.power(
        Path(labels),
        difference=difference,
        images=None if images is None else Path(images),
        table_format=None if table_format is None else Path(table_format),
        vocabulary=_vocabulary(vocabulary),
        seed=seed,
    )


def _vocabulary(given: Vocabulary | str | None) -> Vocabulary | None:
    return load_vocabulary(given) if isinstance(given, str) else given


def labels_of(given: Given | Labels, patients: Patients, findings: Sequence[str] | None) -> Labels:
    """Return labels as those of a file; images without a name are called by the number of their row, from 1.

    Args:
        given: Truth: 1 present, 0 absent, NaN or null not stated.
        patients: Patients of the rows. Unless known, each image is of a patient of its own.
        findings: Names of the findings; unless given, of a frame all columns of numbers.

    Raises:
        DataError: A file cannot be read.
        ValueError: Shapes do not fit, a column is missing, an image is named twice, or a label is no label.
    """
    if isinstance(given, Labels | str | Path):
        if patients is not None or findings is not None:
            raise ValueError("labels of a file name their own patients and findings; leave these arguments out")
        return given if isinstance(given, Labels) else truth.read_labels(Path(given))
    sheet = frame_of(given, findings)
    image = image_name_column(sheet, LABELS)
    names = _row_names(sheet.height) if image is None else sheet[image].cast(pl.String)
    if (twice := names.filter(names.is_duplicated())).len():
        raise ValueError(f"labels name image {twice[0]} twice; keep one")
    who = _patients_of(sheet, names, patients)
    chosen = _chosen(sheet, findings, others={image, patients if isinstance(patients, str) else PATIENT})
    values = {name: _stated(sheet[name]) for name in chosen}
    return Labels(LABELS, NIH, pl.DataFrame({IMAGE: names, PATIENT: who, **values}), Vocabulary.of(chosen))


def _row_names(rows: int) -> pl.Series:
    return pl.Series([f"row {number + 1}" for number in range(rows)], dtype=pl.String)


def _patients_of(sheet: pl.DataFrame, names: pl.Series, patients: Patients) -> pl.Series:
    """Return the patient of each row, as text."""
    if patients is None:
        return sheet[PATIENT].cast(pl.String) if PATIENT in sheet.columns else names
    if isinstance(patients, str):
        if patients not in sheet.columns:
            raise ValueError(f"labels have no column {patients!r} of patients; they have {', '.join(sheet.columns)}")
        return sheet[patients].cast(pl.String)
    who: NDArray[Any] = np.asarray(patients)
    if who.shape != (sheet.height,):
        raise ValueError(f"needs one patient per image: got {who.shape} for {sheet.height} images")
    return pl.Series([str(each) for each in who.tolist()], dtype=pl.String)


def _chosen(sheet: pl.DataFrame, findings: Sequence[str] | None, *, others: set[str | None]) -> list[str]:
    """Return the columns of findings."""
    numeric = sheet.select(cs.numeric() | cs.boolean()).columns
    chosen = list(findings or (name for name in numeric if name not in {*others, *TABLE_COLUMNS}))
    if missing := [name for name in chosen if name not in sheet.columns]:
        raise ValueError(f"labels have no column {missing[0]!r}; they have {', '.join(sheet.columns)}")
    if not chosen:
        raise ValueError(f"labels have no column of numbers for a finding; they have {', '.join(sheet.columns)}")
    return chosen


def _stated(column: pl.Series) -> pl.Series:
    """Return labels as 1, 0 or null."""
    given = column.fill_nan(None) if column.dtype.is_float() else column
    values = given.cast(pl.Float64, strict=False)
    odd = given.is_not_null() & ~values.is_in([0.0, 1.0]).fill_null(False)
    if odd.any():
        row = int(odd.arg_true()[0])
        raise ValueError(f"labels, column {column.name!r}, row {row + 1}: {column[row]!r} is neither 0, 1 nor NaN")
    return values
