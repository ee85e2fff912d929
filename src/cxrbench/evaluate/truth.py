"""The labels that a file of predictions is measured against, and whether the two belong together."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from cxrbench.config import Vocabulary
from cxrbench.data.tables import read_label_table
from cxrbench.data.tables.labels import parse_labels
from cxrbench.data.tables.releases import NIH, TableFormat, read_format
from cxrbench.data.tables.sheets import read_sheet
from cxrbench.errors import DataError
from cxrbench.evaluate.held_out import HeldOut, findings_of, labels_of
from cxrbench.evaluate.matching import Predictions, is_of_a_run
from cxrbench.evaluate.reading import study_vocabulary
from cxrbench.runs import TABLE_FILE

GIVEN = "given"
"""Stands for split and kind where the test images are those of a file."""


@dataclass(frozen=True)
class Labels:
    """A label file."""

    path: Path
    form: TableFormat
    table: pl.DataFrame
    """Columns as in ``table.parquet``."""
    vocabulary: Vocabulary
    """Its findings, in the order of their columns."""
    notes: tuple[str, ...] = ()
    """What the reader made of the file; for people to read."""

    @property
    def findings(self) -> tuple[str, ...]:
        """Names of the label columns."""
        return self.vocabulary.names


def read_labels(path: Path, *, table_format: Path | None = None, vocabulary: Vocabulary | None = None) -> Labels:
    """Read a release's label file, or a study's ``table.parquet``.

    Args:
        path: Label file.
        table_format: Name or YAML of the label file's format; as its columns show unless given.
        vocabulary: Findings to read; unless given, those of the format, and of a ``table.parquet`` its own.

    Raises:
        DataError: It cannot be read as its format says.
    """
    form = None if table_format is None else read_format(table_format)
    if path.suffix != ".parquet":
        read = read_label_table([path], form=form, vocabulary=vocabulary)
        return Labels(path, read.form, read.table, read.vocabulary, read.notes)
    form = form or NIH
    try:
        table = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"cannot read {path}: {str(error).splitlines()[0]}") from None
    if vocabulary is not None:
        return Labels(path, form, *_as_named(table, vocabulary, path))
    of_study = study_vocabulary(path.parent, table)
    is_own = set(of_study.names) == set(findings_of(table))
    return Labels(path, form, table, of_study if is_own else Vocabulary.of(findings_of(table)))


def _as_named(table: pl.DataFrame, vocabulary: Vocabulary, path: Path) -> tuple[pl.DataFrame, Vocabulary]:
    """Return a table with the findings of a vocabulary, under its names."""
    theirs = findings_of(table)
    ours = {name: own for name in theirs if (own := vocabulary.canonical(name)) is not None}
    if not ours:
        raise DataError(f"{path} states no finding of the vocabulary {vocabulary.name!r}: it has {', '.join(theirs)}")
    if len(set(ours.values())) < len(ours):
        raise DataError(f"{path}: two of {', '.join(ours)} mean one finding of {vocabulary.name!r}; keep one")
    known = vocabulary.subset(ours.values())
    return table.rename(ours).select(*(name for name in table.columns if name not in theirs), *known.names), known


def matched_images(predictions: Predictions, labels: Labels) -> pl.Series:
    """Return the labels' image ids for every row of the predictions: by name, without folders, or without ending.

    Raises:
        DataError: An image has no label.
    """
    names, known = predictions.scores["image_id"], labels.table["image_id"]
    for fold in (lambda column: column, _without_folder, _without_ending):
        found = pl.DataFrame({"key": fold(names)}).join(
            pl.DataFrame({"key": fold(known), "image_id": known}).unique("key", keep="none"), on="key", how="left",
            maintain_order="left",
        )["image_id"]  # fmt: skip
        if found.is_not_null().any():
            _require_all(found, predictions, labels)
            return found
    raise DataError(
        f"no image of {predictions.path} has a label in {labels.path} (first: {names[0]}; labels: {known[0]}); "
        "is this the label file of the same archive?"
    )


def _without_folder(column: pl.Series) -> pl.Series:
    return column.str.replace_all("\\", "/", literal=True).str.extract(r"([^/]+)$", 1)


def _without_ending(column: pl.Series) -> pl.Series:
    return _without_folder(column).str.replace(r"\.[A-Za-z0-9]{2,5}$", "")


def _require_all(found: pl.Series, predictions: Predictions, labels: Labels) -> None:
    names = predictions.scores["image_id"].filter(found.is_null())
    if names.len():
        raise DataError(
            f"{names.len():,} images of {predictions.path} have no label in {labels.path} (first: {names[0]}); "
            "give the labels they belong to, or leave those rows out"
        )
    if (twice := found.filter(found.is_duplicated())).len():
        raise DataError(f"{predictions.path} lists image {twice[0]} twice, under two spellings; keep one")


def held_out(labels: Labels, images: pl.Series, findings: Sequence[str]) -> HeldOut:
    """Return the labels of some images, in the order of their ids."""
    vocabulary = labels.vocabulary.subset(findings)
    rows = labels.table.filter(pl.col("image_id").is_in(images.implode())).sort("image_id")
    return HeldOut(GIVEN, GIVEN, rows, vocabulary, labels_of(rows, vocabulary.names))


def require_same_labels(predictions: Predictions, labels: Labels) -> None:
    """Refuse predictions that were made for another version of the labels, where that can be known.

    It can for a run of a study, whose table has the labels it was trained for, and for a file that carries the
    release's own label column along.

    Raises:
        DataError: How many images differ, the first, and what to do.
    """
    theirs = _labels_of(predictions, labels)
    if theirs is None:
        return
    findings = [name for name in predictions.findings if name in theirs.columns]
    both = theirs.join(labels.table, on="image_id", suffix="_given")
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_given")) for name in findings)
    if (other := both.filter(differs)).height:
        raise DataError(
            f"{predictions.path} was made for another version of the labels than {labels.path}: "
            f"{other.height:,} of {both.height:,} images differ (first: {other['image_id'][0]}); use the same version"
        )


def _labels_of(predictions: Predictions, labels: Labels) -> pl.DataFrame | None:
    """Return the labels that come with a file of predictions."""
    if is_of_a_run(predictions.path):
        # study/runs/<approach>/<split>/seed-<n>/predictions-test.parquet
        table = predictions.path.resolve().parents[4] / TABLE_FILE
        return pl.read_parquet(table) if table.is_file() else None
    if predictions.path.suffix == ".parquet" or labels.form.labels.column not in predictions.ignored:
        return None
    sheet = read_sheet(predictions.path)
    stated, _ = parse_labels(
        sheet,
        labels.form.labels,
        vocabulary=labels.vocabulary,
        whole=labels.form.findings,
        where=predictions.path,
    )
    return stated.with_columns(matched_images(predictions, labels))


def require_untrained(truth: HeldOut, labels: Labels, trained_on: Path) -> None:
    """Refuse test images of patients that a model was trained on.

    Args:
        truth: The test images.
        labels: Labels, which say whom each image shows.
        trained_on: A list of image names or patient ids, one a line, such as ``train_val_list.txt``.

    Raises:
        DataError: The list cannot be read or names nobody, or patients are shared.
    """
    try:
        lines = trained_on.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {trained_on}: {getattr(error, 'strerror', None) or error}") from None
    named = pl.Series([line.strip() for line in lines if line.strip()], dtype=pl.String).implode()
    trained = labels.table.filter(pl.col("image_id").is_in(named) | pl.col("patient_id").is_in(named))
    if not trained.height:
        raise DataError(f"{trained_on} names no image or patient of {labels.path}; expected one name a line")
    shared = np.intersect1d(trained["patient_id"].to_numpy(), truth.patients)
    if shared.size:
        raise DataError(
            f"{shared.size:,} patients of the test images are in {trained_on} too (first: {shared[0]}); results would "
            "flatter the model. Leave their images out of the predictions"
        )
