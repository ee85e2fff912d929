"""Formats: how one archive's label files become the common table. Packaged ones lie in ``cxrbench/formats``."""

from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BeforeValidator, Field, field_validator, model_validator

from cxrbench.config.base import (
    Settings,
    is_path,
    merged,
    packaged_names,
    packaged_text,
    parse_settings,
    read_yaml,
    unknown,
)
from cxrbench.config.labelling import CellWords, ColumnField, Labels, Readers, Words
from cxrbench.config.vocabulary import Vocabulary, load_vocabulary
from cxrbench.errors import ConfigError

NIH_FORMAT = "nih"
NO_FINDING = "No Finding"

AS_FOUND = "as found"
"""In place of a vocabulary: the names that the labels have."""

Part = Literal["train", "val", "test"]


def _as_suffixes(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class Join(Settings):
    """Another table, whose columns are added to the rows of the first."""

    files: Words = Field(min_length=1, description="names the file may have, best first")
    by: dict[str, str] = Field(min_length=1, description="columns that join it: the first table's -> its own")
    is_optional: bool = Field(False, description="go on without the file where it is not at hand")

    @field_validator("by", mode="before")
    @classmethod
    def _equal_names_are_given_once(cls, value: Any) -> Any:
        names = (value,) if isinstance(value, str) else value
        return {name: name for name in names} if isinstance(names, list | tuple) else names


class OfficialParts(Settings):
    """A column that says which official part an image belongs to."""

    column: ColumnField
    values: dict[str, Part] = Field(description="cells -> train, val or test")


def _as_vocabulary(value: Any) -> Any:
    """Let a YAML give a vocabulary by its name, by its file, or as a list of findings."""
    try:
        if isinstance(value, str) and value != AS_FOUND:
            return load_vocabulary(value)
        return Vocabulary.of(value) if isinstance(value, list | tuple) else value
    except ConfigError as error:
        raise ValueError(str(error)) from None


class TableFormat(Settings):
    """How one archive's label files become the common table."""

    name: str
    source: str = Field("", description="where the archive is described")
    summary: str = Field("", description="one line for listings")
    archive: str | None = Field(None, description="public archive of the films, such as nih; null: its name")
    files: Words = Field((), description="names the label file may have in the archive's folder, best first")
    parts: dict[str, Part | None] = Field(
        {}, description="file name -> its official part; all of these files that are there are read, one below another"
    )
    join: tuple[Join, ...] = Field((), description="further tables whose columns are added")
    lists_images: bool = Field(
        False, description="no label file: one row per image in the folder, with path, folder, name, stem and part"
    )
    recognised_by: Words = Field((), description="columns that only label files of this format have all of")
    official: tuple[str, str] | None = Field(None, description="file names of the train/val and of the test list")
    official_parts: OfficialParts | None = None
    delimiter: str | None = Field(None, min_length=1, max_length=1, description="null: seen in the header")
    encoding: str | None = Field(None, description="such as utf-8, utf-16 or cp1252; null: detected")
    is_sample: bool = Field(False, description="the folder holds only part of the images, and that is meant")

    image_id: ColumnField
    path: ColumnField | None = Field(None, description="the image's path, when it is not found by image_id")
    suffix: Annotated[tuple[str, ...], BeforeValidator(_as_suffixes)] = Field(
        ("",), description="added to image_id or path to get the file's name, such as .jpg"
    )
    patient_id: ColumnField | None = Field(description="null: the archive has none; each image counts as a patient")
    age_years: ColumnField | None = None
    born: ColumnField | None = Field(None, description="year or date of birth, for the age on the day in ``seen``")
    seen: ColumnField | None = Field(None, description="year or date of the study")
    sex: ColumnField | None = None
    view: ColumnField | None = None
    follow_up: ColumnField | None = None

    only: dict[str, CellWords] = Field({}, description="column -> cells; rows with others are skipped")
    skip: dict[str, CellWords] = Field({}, description="column -> cells; rows with these are skipped")
    sexes: dict[str, Literal["F", "M"]] = Field({}, description="cells that mean F or M, beside the usual words")
    views: dict[str, str] = Field({}, description="cells -> PA, AP or another view position")
    rows: Literal["image", "box"] = Field(
        "image", description="what a row is; of several boxes or masks an image shows what any of them says"
    )
    readers: Readers | None = Field(None, description="several people read each image, in rows of their own")
    labels: Labels
    vocabulary: Annotated[Vocabulary | Literal["as found"] | None, BeforeValidator(_as_vocabulary)] = Field(
        None, description="findings to read: a packaged vocabulary, a YAML file, a list or ``as found``; null: see docs"
    )

    @property
    def findings(self) -> Vocabulary:
        """The findings that the labels state: the format's own, else those that have columns, else the paper's 15."""
        if isinstance(self.vocabulary, Vocabulary):
            return self.vocabulary
        if not isinstance(self.labels.columns, dict):
            return load_vocabulary()
        names = [self.labels.names.get(name, name) for name in self.labels.columns]
        own = Vocabulary.of(names, name=self.name)
        is_lacking = self.labels.policy.no_finding == "derived" and own.none_present is None
        return Vocabulary.of([*names, NO_FINDING], name=self.name) if is_lacking else own

    @property
    def has_several_rows(self) -> bool:
        """Whether an image may stand in several rows."""
        return self.rows == "box" or self.readers is not None

    @model_validator(mode="after")
    def _columns_are_findings(self) -> Self:
        try:
            _ = self.findings
        except ConfigError as error:
            raise ValueError(f"labels.columns: {error}") from None
        return self

    @model_validator(mode="after")
    def _policies_are_of_findings(self) -> Self:
        if self.vocabulary == AS_FOUND:
            return self
        if strange := [name for name in self.labels.policy.findings if self.findings.canonical(name) is None]:
            raise ValueError(f"labels.policy.findings: {unknown('finding', strange[0], self.findings.names)}")
        if self.labels.policy.no_finding == "derived" and self.findings.none_present is None:
            raise ValueError(
                "labels.policy.no_finding: derived needs a finding of the vocabulary with means_none: true"
            )
        return self

    @model_validator(mode="after")
    def _ages_have_one_source(self) -> Self:
        if (self.born is None) != (self.seen is None):
            raise ValueError("an age needs both: born (year or date of birth) and seen (year or date of the study)")
        if self.born is not None and self.age_years is not None:
            raise ValueError("give either age_years, or born and seen")
        return self


GROUP = "cxrbench.formats"
"""Entry points by which other packages offer formats; each leads to a ``TableFormat``."""


def format_names() -> list[str]:
    """Return the names of the packaged formats, and of those that installed packages offer."""
    own = packaged_names("formats")
    return [*own, *sorted({point.name for point in metadata.entry_points(group=GROUP)} - set(own))]


@cache
def load_format(name: str = NIH_FORMAT) -> TableFormat:
    """Return a packaged format.

    Raises:
        ConfigError: No such format; the message offers near names.
    """
    if name not in packaged_names("formats"):
        for point in metadata.entry_points(group=GROUP, name=name):
            return _offered(point)
    return parse_settings(_raw(name), TableFormat, where=f"format {name}")


def _offered(point: metadata.EntryPoint) -> TableFormat:
    """Return the format of another package."""
    try:
        form = point.load()
    except Exception as error:
        raise ConfigError(
            f"format {point.name!r}: {point.value} cannot be imported ({type(error).__name__}: {error})"
        ) from error
    if not isinstance(form, TableFormat):
        raise ConfigError(
            f"format {point.name!r}: {point.value} is a {type(form).__name__}, not a cxrbench TableFormat"
        )
    return form


def _raw(name: str) -> dict[str, Any]:
    """Return a packaged format as written, with what it is based on."""
    raw: dict[str, Any] = yaml.safe_load(packaged_text("formats", name, kind="format", names=format_names()))
    return _with_base(raw)


def _with_base(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a format with the values of the packaged one it is based on."""
    base = raw.get("based_on")
    return raw if base is None else merged(_raw(str(base)), {key: raw[key] for key in raw if key != "based_on"})


def read_format(source: Path | str) -> TableFormat:
    """Return a format by its packaged name, or from a YAML file.

    Raises:
        ConfigError: No such format or file, broken YAML, or a key that is unknown, missing or malformed.
    """
    if not (is_path(source) or Path(source).is_file()):
        return load_format(str(source))
    path = Path(source)
    raw = read_yaml(path)
    if isinstance(raw, dict):
        raw = _with_base(raw)
    if isinstance(raw, dict) and is_path(raw.get("vocabulary")):
        raw = {**raw, "vocabulary": str(path.parent / Path(raw["vocabulary"]).expanduser())}
    return parse_settings(raw, TableFormat, where=str(path))
