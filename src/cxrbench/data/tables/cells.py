"""Cells of a label file -> values of the table, with a note about whatever could not be taken as it is."""

from collections.abc import Mapping
from typing import NamedTuple

import polars as pl

from cxrbench.data.tables.wording import first_of, images

AGE = r"^([+-]?\d+(?:\.\d*)?)\s*([DWMY]?)$"
YEARS = {"": 1.0, "Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
OLDEST = 120

BLANK = ("na", "n/a", "nan", "none", "null", "unknown", "-")
SEXES = {"f": "F", "female": "F", "w": "F", "woman": "F", "m": "M", "male": "M", "man": "M"}


class Parsed(NamedTuple):
    """Values, and what had to be said about them."""

    values: pl.Series
    notes: tuple[str, ...] = ()


def parse_ages(cells: pl.Series) -> Parsed:
    """Ages in years: ``58``, ``58.0``, or DICOM's ``058Y``, ``018M``, ``006W``, ``010D``.

    Returns:
        float32, null where blank, unreadable or out of 0..120; the last two are noted.
    """
    parts = known(cells).str.to_uppercase().str.extract_groups(AGE).struct.unnest()
    number, unit = (parts.to_series(i) for i in (0, 1))
    years = number.cast(pl.Float64) * unit.replace_strict(YEARS, default=None, return_dtype=pl.Float64)
    in_range = years.is_between(0, OLDEST)
    strange = cells.filter(known(cells).is_not_null() & years.is_null())
    outside = cells.filter(years.is_not_null() & ~in_range)
    notes = (
        *_note(strange, "an age that cannot be read"),
        *_note(outside, f"an age out of 0..{OLDEST}"),
    )
    return Parsed(years.set(~in_range.fill_null(value=True), None).cast(pl.Float32), notes)


def parse_sexes(cells: pl.Series, *, words: Mapping[str, str]) -> Parsed:
    """``F``, ``M`` or null; ``words`` adds to the usual words for them."""
    meaning = {**SEXES, **{word.lower(): sex for word, sex in words.items()}}
    folded = known(cells).str.to_lowercase()
    values = folded.replace_strict(meaning, default=None, return_dtype=pl.String)
    return Parsed(values, _note(cells.filter(folded.is_not_null() & values.is_null()), "a sex other than F or M"))


def parse_views(cells: pl.Series, *, words: Mapping[str, str]) -> Parsed:
    """View positions in upper case, or null; ``words`` translates the release's own."""
    meaning = {word.upper(): view.upper() for word, view in words.items()}
    return Parsed(known(cells).str.to_uppercase().replace(meaning))


def parse_follow_ups(cells: pl.Series) -> Parsed:
    """Follow-up numbers as int32, or null."""
    values = known(cells).cast(pl.Float64, strict=False).cast(pl.Int32, strict=False)
    strange = cells.filter(known(cells).is_not_null() & values.is_null())
    return Parsed(values, _note(strange, "a follow-up number that cannot be read"))


def known(cells: pl.Series) -> pl.Series:
    """Cells without the words that stand for "blank"."""
    return cells.set(cells.str.to_lowercase().is_in(BLANK).fill_null(value=False), None)


def _note(cells: pl.Series, what: str) -> tuple[str, ...]:
    """Say how many images have such a cell, with some of them; nothing when there are none."""
    if cells.is_empty():
        return ()
    examples = first_of([repr(cell) for cell in cells.unique(maintain_order=True)])
    has = "has" if len(cells) == 1 else "have"
    return (f"{images(len(cells))} {has} {what} ({examples}), treated as unknown",)
