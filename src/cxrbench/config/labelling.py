"""Where the findings stand in a label file, and what its cells mean: the label policy."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from cxrbench.config.base import Settings

IN_BRACES = re.compile(r"\{([^{}]+)\}")
"""A column in a template such as ``{ImageDir}/{ImageID}``."""

NOT_IN_POLARS = re.compile(r"\(\?<?[=!]|\\[1-9]")
"""Looking around and back: Python's regular expressions can, those that read the columns cannot."""


class Column(Settings):
    """Where a value stands in the file."""

    name: tuple[str, ...] = Field(
        min_length=1, description="the column, or a template such as {subject}/{image}; of several, the first there is"
    )
    pattern: str | None = Field(None, description="regular expression; its one group is the part of the cell to take")
    is_optional: bool = Field(False, description="unknown where the file has no such column")

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


def _as_column(value: Any) -> Any:
    """Let a YAML say ``age_years: Age`` or ``age_years: [Age, Patient Age]`` for short."""
    return {"name": value} if isinstance(value, str | list | tuple) else value


def _one_or_more(value: Any) -> Any:
    """Let a YAML give one word where several may stand."""
    return (value,) if isinstance(value, str) else value


ColumnField = Annotated[Column, BeforeValidator(_as_column)]
Words = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_one_or_more)]


def _groups(pattern: str) -> int:
    """Return how many groups a regular expression has; -1 when it cannot be used."""
    try:
        return -1 if NOT_IN_POLARS.search(pattern) else re.compile(pattern).groups
    except re.error:
        return -1


def columns_in(name: str) -> tuple[str, ...]:
    """Return the columns that a name or template needs."""
    return tuple(IN_BRACES.findall(name)) or (name,)


def _as_word(value: Any) -> Any:
    """Return a cell's word: YAML reads a bare ``yes`` as true, and ``1`` as a number."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _as_words(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_as_word(each) for each in value)
    return (_as_word(value),)


CellWords = Annotated[tuple[str, ...], BeforeValidator(_as_words)]

Blank = Literal["unstated", "absent"]
Uncertain = Literal["unstated", "absent", "present"]
FIELD_NAMES = {"ignore": "unstated", "zeros": "absent", "ones": "present"}
"""The policies by the names that the field gives them: U-Ignore, U-Zeros, U-Ones."""


def _as_policy(value: Any) -> Any:
    if isinstance(value, str):
        return FIELD_NAMES.get(value.lower().removeprefix("u-"), value)
    return value


class CellPolicy(Settings):
    """What blank and uncertain cells of one finding mean; null: as of all findings."""

    blank: Annotated[Blank | None, BeforeValidator(_as_policy)] = None
    uncertain: Annotated[Uncertain | None, BeforeValidator(_as_policy)] = None


class LabelPolicy(Settings):
    """What cells mean that say neither present nor absent."""

    blank: Annotated[Blank, BeforeValidator(_as_policy)] = "unstated"
    uncertain: Annotated[Uncertain, BeforeValidator(_as_policy)] = "unstated"
    findings: dict[str, CellPolicy] = Field({}, description="finding -> what differs for it")
    no_finding: Literal["implied", "derived", "as stated"] = Field(
        "implied",
        description="implied: No Finding makes unstated pathologies absent, and a pathology makes it absent; derived: "
        "also, where all pathologies are absent it is present; as stated: neither",
    )


class Labels(Settings):
    """Where the findings stand: all in one cell, or each in a column of its own."""

    column: str | None = Field(None, description="the column whose cells list the findings that are present")
    separator: Words = Field(("|",), min_length=1, description="between findings in such a cell; lists need none")
    columns: dict[str, ColumnField] | Literal["by name"] | None = Field(
        None, description="finding -> its column; ``by name``: each finding of the vocabulary has one of its name"
    )
    present: CellWords = Field(
        (), description="cells of such a column that mean present, beside the usual; *: all others"
    )
    absent: CellWords = Field((), description="cells that mean absent, beside the usual words")
    uncertain: CellWords = Field((), description="cells that mean uncertain, beside the usual words")
    unstated: CellWords = Field((), description="cells that mean not stated, beside blank ones")
    policy: LabelPolicy = LabelPolicy()
    names: dict[str, str] = Field({}, description="the archive's names of findings -> ours, where they differ")
    exclude: tuple[str, ...] = Field((), description="rows whose cell names one of these are skipped")
    ignore_others: bool = Field(False, description="skip findings of the archive that are none of ours")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.column is None) == (self.columns is None):
            raise ValueError("give either column (one cell lists the findings) or columns (one per finding)")
        return self


class Readers(Settings):
    """Several people read each image; each row is one's opinion, or one of the boxes that one drew."""

    column: str = Field(description="the column that names the reader")
    vote: Literal["any", "majority"] | Annotated[int, Field(ge=1)] = Field(
        "majority", description="how many must say present: any, majority, or at least this many"
    )
