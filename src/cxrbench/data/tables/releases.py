"""How a release lays out its label file: values, not classes; a YAML file describes any other CSV."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import polars as pl
from pydantic import BeforeValidator, Field, field_validator, model_validator

from cxrbench.config import Settings, Vocabulary, is_path, load_vocabulary, parse_settings, read_yaml
from cxrbench.errors import ConfigError


class Column(Settings):
    """Where a value stands in the file."""

    name: tuple[str, ...] = Field(min_length=1, description="the column's name; of several, the first the file has")
    pattern: str | None = Field(None, description="regular expression; its one group is the part of the cell to take")

    @field_validator("name", mode="before")
    @classmethod
    def _one_or_more(cls, name: Any) -> Any:
        return (name,) if isinstance(name, str) else name

    @field_validator("pattern")
    @classmethod
    def _has_one_group(cls, pattern: str | None) -> str | None:
        if pattern is not None and _groups(pattern) != 1:
            raise ValueError("a pattern is a regular expression with exactly one group in (round brackets)")
        return pattern


def _groups(pattern: str) -> int:
    """How many groups a regular expression has; -1 when polars cannot use it."""
    try:
        pl.select(pl.lit("").str.extract(pattern, 1))
        return re.compile(pattern).groups
    except (re.error, pl.exceptions.ComputeError):
        return -1


def _as_column(value: Any) -> Any:
    """Let a YAML say ``age_years: Age`` or ``age_years: [Age, Patient Age]`` for short."""
    return {"name": value} if isinstance(value, str | list | tuple) else value


ColumnField = Annotated[Column, BeforeValidator(_as_column)]


class Labels(Settings):
    """Where the findings stand: all in one cell, or each in a column of its own."""

    column: str | None = Field(None, description="the column whose cells list the findings that are present")
    separator: str = Field("|", min_length=1, description="what stands between findings in such a cell")
    columns: dict[str, str] | None = Field(None, description="finding -> its column")
    present: tuple[str, ...] = Field(("1",), description="cells of such a column that mean present")
    absent: tuple[str, ...] = Field(("0",), description="cells that mean absent")
    unstated: tuple[str, ...] = Field((), description="cells that mean not stated, beside blank ones")
    names: dict[str, str] = Field({}, description="the release's names of findings -> ours, where they differ")
    ignore_others: bool = Field(False, description="skip findings of the release that are none of ours")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.column is None) == (self.columns is None):
            raise ValueError("give either column (one cell lists the findings) or columns (one per finding)")
        return self


def _as_vocabulary(value: Any) -> Any:
    """Let a YAML give a vocabulary by its name, by its file, or as a list of findings."""
    try:
        if isinstance(value, str):
            return load_vocabulary(value)
        return Vocabulary.of(value) if isinstance(value, list | tuple) else value
    except ConfigError as error:
        raise ValueError(str(error)) from None


class TableFormat(Settings):
    """How to read one release's label file into the common table."""

    name: str
    source: str = Field("", description="where the release is described")
    archive: str | None = Field(None, description="public archive of the films, such as nih; null: its name")
    files: tuple[str, ...] = Field((), description="names the label file may have in the archive's folder, best first")
    official: tuple[str, str] | None = Field(None, description="file names of the train/val and of the test list")
    delimiter: str = Field(",", min_length=1, max_length=1)
    is_sample: bool = Field(False, description="the folder holds only part of the images, and that is meant")

    image_id: ColumnField
    path: ColumnField | None = Field(None, description="the image's path, when it is not found by image_id")
    suffix: str = Field("", description="added to image_id or path to get the file's name, such as .jpg")
    patient_id: ColumnField
    age_years: ColumnField | None = None
    sex: ColumnField | None = None
    view: ColumnField | None = None
    follow_up: ColumnField | None = None

    only: dict[str, tuple[str, ...]] = Field({}, description="column -> cells; rows with others are skipped")
    sexes: dict[str, Literal["F", "M"]] = Field({}, description="cells that mean F or M, beside the usual words")
    views: dict[str, str] = Field({}, description="cells -> PA, AP or another view position")
    labels: Labels
    vocabulary: Annotated[Vocabulary | None, BeforeValidator(_as_vocabulary)] = Field(
        None, description="findings to read: a packaged vocabulary, a YAML file or a list; null: see ``findings``"
    )

    @property
    def findings(self) -> Vocabulary:
        """The findings that the labels state: the format's own, else those that have columns, else the paper's 15."""
        if self.vocabulary is not None:
            return self.vocabulary
        if self.labels.columns is None:
            return load_vocabulary()
        return Vocabulary.of((self.labels.names.get(name, name) for name in self.labels.columns), name=self.name)

    @model_validator(mode="after")
    def _columns_are_findings(self) -> Self:
        try:
            _ = self.findings
        except ConfigError as error:
            raise ValueError(f"labels.columns: {error}") from None
        return self


NIH = TableFormat(
    name="NIH ChestX-ray14",
    source="https://nihcc.app.box.com/v/ChestXray-NIHCC, doi:10.1109/CVPR.2017.369",
    files=("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv"),
    official=("train_val_list.txt", "test_list.txt"),
    image_id=Column(name=("Image Index",)),
    patient_id=Column(name=("Patient ID",)),
    age_years=Column(name=("Patient Age",)),
    sex=Column(name=("Patient Gender", "Patient Sex")),
    view=Column(name=("View Position",)),
    follow_up=Column(name=("Follow-up #",)),
    labels=Labels(column="Finding Labels"),
)
"""Both label versions; the columns that the split header ``OriginalImage[Width,Height]`` makes are not needed."""


def read_format(path: Path) -> TableFormat:
    """Read the YAML that describes a CSV.

    Raises:
        ConfigError: No such file, broken YAML, or a key that is unknown, missing or malformed.
    """
    raw = read_yaml(path)
    if isinstance(raw, dict) and is_path(raw.get("vocabulary")):
        raw = {**raw, "vocabulary": str(path.parent / Path(raw["vocabulary"]).expanduser())}
    return parse_settings(raw, TableFormat, where=str(path))
