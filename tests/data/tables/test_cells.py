"""Cells of a label file -> values."""

from functools import partial

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrbench.data.tables.cells import are_years, parse_ages, parse_ages_at, parse_follow_ups, parse_sexes, parse_views


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
        ("58,5", 58.5),
        ("45 years", 45),
        ("6 months", 0.5),
    ],
)
def test_ages_in_every_form_that_releases_use(cell, years):
    parsed = parse_ages(series(cell.strip()))
    assert parsed.values.dtype == pl.Float32
    assert parsed.values.to_list() == pytest.approx([years])
    assert parsed.notes == ()


@pytest.mark.parametrize(
    ("cell", "years"),
    [("80-84", 82), ("[80, 84]", 82), ("85 or more", 85), (">89", 89), ("> 89Y", 89), ("90+", 90), ("≥90", 90)],
)
def test_a_band_of_ages_is_its_middle_or_its_limit_and_said_so(cell, years):
    parsed = parse_ages(series(cell, "57"))
    assert parsed.values.to_list() == [years, 57]
    assert parsed.notes == (f"1 image with a band of ages or its limit ({cell!r}), taken as its middle or limit",)


@pytest.mark.parametrize(
    ("born", "seen", "years"),
    [("1930.0", "20140915", 84), ("1930", "2014-09-15", 84), ("19300101", "2014", 84), ("nan", "2014", None)],
)
def test_ages_from_a_birth_and_a_study(born, seen, years):
    parsed = parse_ages_at(series(born), series(seen))
    assert (parsed.values.to_list(), parsed.notes) == ([years], ())


def test_ages_from_dates_that_cannot_be_are_said():
    parsed = parse_ages_at(series("1880", "x"), series("2014", "2014"))
    assert parsed.values.to_list() == [None, None]
    assert [note.partition(" (")[0] for note in parsed.notes] == [
        "1 image has a birth or study date that cannot be read",
        "1 image has a birth date that makes an age out of 0..120",
    ]


@pytest.mark.parametrize(("cells", "is_so"), [(["1930.0", "1945"], True), (["58", "1945"], False), ([None], False)])
def test_years_of_birth_are_told_from_ages(cells, is_so):
    assert are_years(series(*cells)) == is_so


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
