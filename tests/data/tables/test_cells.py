"""Cells of a label file -> values."""

from functools import partial

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrbench.data.tables.cells import parse_ages, parse_follow_ups, parse_sexes, parse_views


def series(*cells):
    return pl.Series(cells, dtype=pl.String)


@pytest.mark.parametrize(
    ("cell", "years"),
    [
        ("58", 58),
        ("058Y", 58),
        ("58.0", 58),
        ("0", 0),
        ("120", 120),
        ("018M", 1.5),
        ("026W", 26 * 7 / 365.25),
        ("010D", 10 / 365.25),
        ("  007y ", 7),
    ],
)
def test_ages_in_every_form_that_releases_use(cell, years):
    parsed = parse_ages(series(cell.strip()))
    assert parsed.values.dtype == pl.Float32
    assert parsed.values.to_list() == pytest.approx([years])
    assert parsed.notes == ()


def test_impossible_ages_are_unknown_and_said_so():
    parsed = parse_ages(series("155", "57", "414Y", "-1", "121", None))
    assert parsed.values.to_list() == [None, 57, None, None, None, None]
    assert parsed.notes == ("4 images have an age out of 0..120 ('155', '414Y', '-1', ...), treated as unknown",)


def test_unreadable_ages_are_unknown_and_said_so():
    parsed = parse_ages(series("adult", "3X", "57"))
    assert parsed.values.to_list() == [None, None, 57]
    assert parsed.notes == ("2 images have an age that cannot be read ('adult', '3X'), treated as unknown",)


@pytest.mark.parametrize("cell", [None, "NA", "n/a", "NaN", "unknown", "-"])
def test_words_for_blank_need_no_note(cell):
    for parse in (parse_ages, parse_follow_ups, partial(parse_views, words={}), partial(parse_sexes, words={})):
        parsed = parse(series(cell))
        assert parsed.values.to_list() == [None]
        assert parsed.notes == ()


@given(number=st.integers(-50, 999), unit=st.sampled_from(["", "D", "W", "M", "Y"]), width=st.integers(1, 4))
def test_any_age_is_a_number_of_years_in_range_or_unknown(number, unit, width):
    per_year = {"": 1, "Y": 1, "M": 12, "W": 365.25 / 7, "D": 365.25}[unit]
    expected = number / per_year
    (age,) = parse_ages(series(f"{number:0{width}}{unit}")).values
    assert age == (pytest.approx(expected, rel=1e-6) if 0 <= expected <= 120 else None)


@given(st.text(max_size=6))
def test_no_text_breaks_the_readers(cell):
    age = parse_ages(series(cell)).values[0]
    assert age is None or 0 <= age <= 120
    assert parse_sexes(series(cell), words={}).values[0] in {"F", "M", None}
    follow_up = parse_follow_ups(series(cell)).values
    assert follow_up.dtype == pl.Int32


@pytest.mark.parametrize(
    ("cell", "sex"), [("F", "F"), ("m", "M"), ("Female", "F"), ("MALE", "M"), ("W", "F"), ("O", None)]
)
def test_sexes(cell, sex):
    assert parse_sexes(series(cell), words={}).values.to_list() == [sex]


def test_other_sexes_are_unknown_and_said_so():
    note = "1 image has a sex other than F or M ('O'), treated as unknown"
    assert parse_sexes(series("O", "F"), words={}).notes == (note,)


def test_words_of_a_release_for_sex_and_view():
    assert parse_sexes(series("0", "1", "F"), words={"0": "F", "1": "M"}).values.to_list() == ["F", "M", "F"]
    views = parse_views(series("frontal", "ap", "LL"), words={"Frontal": "PA"})
    assert views.values.to_list() == ["PA", "AP", "LL"]


def test_follow_up_numbers():
    parsed = parse_follow_ups(series("0", "12", "3.0", "first", "1.5e12"))
    assert parsed.values.to_list() == [0, 12, 3, None, None]
    assert parsed.notes == (
        "2 images have a follow-up number that cannot be read ('first', '1.5e12'), treated as unknown",
    )
