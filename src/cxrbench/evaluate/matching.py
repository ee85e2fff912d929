"""Files of predictions of any model: columns matched by name, values checked to be probabilities."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from scipy.special import expit

from cxrbench import runs
from cxrbench.config import Vocabulary, load_vocabulary
from cxrbench.data.tables.sheets import LINE, read_sheet
from cxrbench.errors import DataError

FIRST_ROW = 1

IMAGE_COLUMNS = (
    "image_id",
    "image index",
    "image",
    "image name",
    "image path",
    "filename",
    "file name",
    "file",
    "path",
)
"""Names of the column of images, folded; the first that a file has is used."""

AFFIX = re.compile(
    r"^(prob|probability|pred|prediction|score|p|y)[_ -]+|[_ -]+(prob|probability|pred|prediction|score)$"
)
"""What projects put before or after a finding's name."""


@dataclass(frozen=True)
class Predictions:
    """Probabilities of one model, and how its file was understood."""

    name: str
    path: Path
    scores: pl.DataFrame
    """``image_id`` as in the file, then one float64 probability per finding."""
    matched: dict[str, str]
    """Column of the file -> what it was taken for."""
    ignored: tuple[str, ...]
    """Columns that were not used."""

    @property
    def findings(self) -> tuple[str, ...]:
        """In the vocabulary's order."""
        return tuple(self.scores.columns[1:])


def read_predictions(path: Path, *, vocabulary: Vocabulary | None = None) -> Predictions:
    """Read a CSV or Parquet file with a column of image names and a probability column per finding.

    Columns are matched by name; case, blanks, ``_`` and ``-`` do not matter, nor does ``prob_`` before a finding.
    The logits of one of our own runs are turned into probabilities.

    Args:
        path: File of predictions.
        vocabulary: Findings that columns may mean; the paper's 15 unless given.

    Raises:
        DataError: No image column, no finding, two columns of one finding, an image twice, or a value that is no
            probability; the message has column and line.
    """
    vocabulary = vocabulary or load_vocabulary()
    sheet, place = _read(path)
    image = image_column(sheet, path)
    columns = finding_columns(sheet, vocabulary, path)
    names = sheet[image].cast(pl.String).str.strip_chars()
    _require_names(names, image, place, path)
    convert = expit if is_of_a_run(path) else _probabilities
    scores = {finding: convert(_numbers(sheet[column], place, path)) for column, finding in columns.items()}
    for column, finding in columns.items():
        _require_probabilities(scores[finding], column, place, path)
    ordered = {finding: scores[finding] for finding in vocabulary.names if finding in scores}
    return Predictions(
        name=path.stem,
        path=path,
        scores=pl.DataFrame({"image_id": names, **ordered}),
        matched={image: "image", **columns},
        ignored=tuple(name for name in sheet.columns if name not in {image, LINE, *columns}),
    )


def is_of_a_run(path: Path) -> bool:
    """Say if the file lies in a run's folder, so that it holds logits."""
    return path.name.startswith("predictions-") and (path.parent / runs.CONFIG_FILE).is_file()


def _read(path: Path) -> tuple[pl.DataFrame, "Places"]:
    """Return the file's cells, and how its rows are called in messages."""
    if path.suffix == ".parquet":
        try:
            sheet = pl.read_parquet(path)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise DataError(f"cannot read {path}: {str(error).splitlines()[0]}") from None
        if not sheet.height:
            raise DataError(f"{path} is empty: it has no rows")
        return sheet, Places("row", np.arange(FIRST_ROW, sheet.height + FIRST_ROW))
    sheet = read_sheet(path)
    return sheet, Places("line", sheet[LINE].to_numpy())


@dataclass(frozen=True)
class Places:
    """Where each row of a file is, as a user finds it."""

    word: str
    numbers: np.ndarray

    def of(self, row: int) -> str:
        """``line 7``."""
        return f"{self.word} {self.numbers[row]}"


def _require_names(names: pl.Series, column: str, place: Places, path: Path) -> None:
    """Refuse a row without image, and an image on two rows."""
    blank = (names.is_null() | (names == "")).arg_true()
    if blank.len():
        raise DataError(f"{path}, {place.of(int(blank[0]))}: {column} is blank")
    if names.is_duplicated().any():
        name = names.filter(names.is_duplicated())[0]
        first, second = (names == name).arg_true()[:2]
        raise DataError(
            f"{path} lists image {name} twice ({place.of(int(first))} and {place.of(int(second))}); keep one"
        )


def _numbers(cells: pl.Series, place: Places, path: Path) -> np.ndarray:
    """Return cells as float64; blank ones are NaN."""
    values = cells.cast(pl.Float64, strict=False)
    broken = (values.is_null() & cells.is_not_null()).arg_true()
    if broken.len():
        row = int(broken[0])
        raise DataError(f"{path}, {place.of(row)}, column {cells.name!r}: {cells[row]!r} is not a number")
    return values.to_numpy()


def _probabilities(values: np.ndarray) -> np.ndarray:
    return values


def _require_probabilities(values: np.ndarray, column: str, place: Places, path: Path) -> None:
    """Refuse what is no probability."""
    wrong = np.flatnonzero(~((values >= 0) & (values <= 1)))  # true of NaN too
    if wrong.size:
        row = int(wrong[0])
        said = "has no number" if np.isnan(values[row]) else f"{values[row]:g} is no probability (0 to 1)"
        remedy = "" if np.isnan(values[row]) else "; turn logits into probabilities by the sigmoid"
        raise DataError(f"{path}, {place.of(row)}, column {column!r}: {said} ({wrong.size} such rows){remedy}")


def named_apart(predictions: Sequence[Predictions]) -> Mapping[str, Predictions]:
    """Return predictions by name; files of one name get as much of their folders as tells them apart."""
    depth = 1
    while True:
        names = ["/".join((*item.path.parts[-depth:-1], item.name)) for item in predictions]
        if len(set(names)) == len(names) or depth > max(len(item.path.parts) for item in predictions):
            return dict(zip(names, predictions, strict=True))
        depth += 1


def image_column(sheet: pl.DataFrame, path: Path) -> str:
    """Return the column of image names."""
    by_folded = {_folded(name): name for name in reversed(sheet.columns)}
    for wanted in IMAGE_COLUMNS:
        if found := by_folded.get(_folded(wanted)):
            return found
    raise DataError(
        f"{path} has no column of image names: looked for {', '.join(IMAGE_COLUMNS)}; it has {_shown(sheet.columns)}"
    )


def finding_columns(sheet: pl.DataFrame, vocabulary: Vocabulary, path: Path) -> dict[str, str]:
    """Return column -> finding."""
    columns: dict[str, str] = {}
    for name in sheet.columns:
        finding = _finding(name, vocabulary)
        if finding is None:
            continue
        if finding in columns.values():
            first = next(column for column, taken in columns.items() if taken == finding)
            raise DataError(f"{path}: columns {first!r} and {name!r} both mean {finding}; keep one")
        columns[name] = finding
    if not columns:
        raise DataError(
            f"{path} has no column of a finding: it has {_shown(sheet.columns)}; "
            f"valid names: {', '.join(vocabulary.names)}"
        )
    return columns


def _finding(name: str, vocabulary: Vocabulary) -> str | None:
    """Return the finding that a column's name means, with or without an affix."""
    return vocabulary.canonical(name) or vocabulary.canonical(AFFIX.sub("", name.lower()))


def _folded(name: str) -> str:
    return " ".join(name.replace("_", " ").replace("-", " ").lower().split())


def _shown(columns: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in columns if name != LINE)
