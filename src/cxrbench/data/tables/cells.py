"""Cells of a label file -> values of the table, with a note about whatever could not be taken as it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import polars as pl

from cxrbench.config import TableFormat
from cxrbench.data.tables.wording import first_of, images
from cxrbench.errors import DataError

AGE = r"^([+-]?\d+(?:[.,]\d*)?)\s*([DWMY]?)(?:EARS?|RS?|ONTHS?|OS?|EEKS?|KS?|AYS?)?$"
BAND = r"^(?:[\[(]\s*(\d+)\s*[,;-]\s*(\d+)\s*[\])]|(\d+)\s*(?:-|–|TO)\s*(\d+))$"
"""``80-84`` and ``[80, 85)``: the middle counts."""
OPEN = r"^(?:>=?|≥|OVER)\s*(\d+)Y?$|^(\d+)\s*(?:\+|OR (?:MORE|OLDER|OVER)|AND (?:OVER|OLDER|MORE))$"
"""``>89`` and ``85 or more``: the limit counts."""
YEAR = r"^(1[89]\d\d|20\d\d)"
CALENDAR = r"^(1[89]\d\d|20\d\d)(\.0*$|$|\d{4}(\.0*)?$|-)"
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
    text = known(cells).str.to_uppercase()
    parts = text.str.extract_groups(AGE).struct.unnest()
    number, unit = (parts.to_series(i) for i in (0, 1))
    years = number.str.replace(",", ".").cast(pl.Float64) * unit.replace_strict(
        YEARS, default=None, return_dtype=pl.Float64
    )
    grouped, notes = _grouped_ages(text.set(years.is_not_null(), None), cells)
    years = years.fill_null(grouped)
    in_range = years.is_between(0, OLDEST)
    strange = cells.filter(text.is_not_null() & years.is_null())
    outside = cells.filter(years.is_not_null() & ~in_range)
    notes = (
        *notes,
        *_note(strange, "an age that cannot be read"),
        *_note(outside, f"an age out of 0..{OLDEST}"),
    )
    return Parsed(years.set(~in_range.fill_null(value=True), None).cast(pl.Float32), notes)


def _grouped_ages(text: pl.Series, cells: pl.Series) -> tuple[pl.Series, tuple[str, ...]]:
    """Ages of cells that name a band of ages or its limit, and a note where there are some."""
    band, limit = (text.str.extract_groups(pattern).struct.unnest() for pattern in (BAND, OPEN))
    lower, upper = (band.to_series(i).fill_null(band.to_series(i + 2)).cast(pl.Float64) for i in (0, 1))
    limits = limit.to_series(0).fill_null(limit.to_series(1)).cast(pl.Float64)
    grouped = ((lower + upper) / 2).fill_null(limits)
    if not (count := grouped.count()):
        return grouped, ()
    examples = first_of([repr(cell) for cell in cells.filter(grouped.is_not_null()).unique(maintain_order=True)])
    return grouped, (f"{images(count)} with a band of ages or its limit ({examples}), taken as its middle or limit",)


def are_years(cells: pl.Series) -> bool:
    """Return whether most cells of an age's column are years of a calendar, such as ``1930.0``, or dates."""
    stated = known(cells).drop_nulls()
    return bool(stated.len()) and 2 * int(stated.str.contains(CALENDAR).sum()) > stated.len()


def parse_ages_at(born: pl.Series, seen: pl.Series) -> Parsed:
    """Ages in whole years from the year of birth and that of the study, each a year or a date that begins with it.

    Returns:
        float32, null where either is blank or no year, or out of 0..120; the last two are noted.
    """
    years = [known(cells).str.extract(YEAR, 1).cast(pl.Int32) for cells in (born, seen)]
    ages = years[1] - years[0]
    in_range = ages.is_between(0, OLDEST)
    strange = born.filter(known(born).is_not_null() & known(seen).is_not_null() & ages.is_null())
    outside = born.filter(ages.is_not_null() & ~in_range)
    notes = (
        *_note(strange, "a birth or study date that cannot be read"),
        *_note(outside, f"a birth date that makes an age out of 0..{OLDEST}"),
    )
    return Parsed(ages.set(~in_range.fill_null(value=True), None).cast(pl.Float32), notes)


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


def parse_fields(cells: pl.DataFrame, form: TableFormat, *, path: Path) -> dict[str, Parsed]:
    """Return the common columns of a table, each with what had to be said about it.

    Args:
        cells: Text under our names, and ``born`` and ``seen``.
        form: The words of the archive for sex and view.
        path: The file, for messages.

    Raises:
        DataError: A column of ages holds years of birth.
    """
    if are_years(cells["age_years"]):
        raise DataError(_no_ages(cells["age_years"], form, path))
    ages = parse_ages(cells["age_years"]) if form.born is None else parse_ages_at(cells["born"], cells["seen"])
    return {
        "image_id": Parsed(cells["image_id"]),
        "path": Parsed(pl.Series([None] * cells.height, dtype=pl.String)),
        "patient_id": Parsed(cells["patient_id"]),
        "age_years": ages,
        "sex": parse_sexes(cells["sex"], words=form.sexes),
        "view": parse_views(cells["view"], words=form.views),
        "follow_up": parse_follow_ups(cells["follow_up"]),
    }


def _no_ages(cells: pl.Series, form: TableFormat, path: Path) -> str:
    """The message where a column of ages holds years of birth."""
    column = form.age_years.name[0] if form.age_years else ""
    return (
        f"{path}: column {column!r} holds years or dates ({cells.drop_nulls()[0]}), not ages; give born: {column} and "
        "seen: with the column of the study's date in place of age_years"
    )
