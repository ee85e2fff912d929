"""The verdict says as much as the intervals do, and no more."""

import polars as pl
import pytest

from cxrbench.evaluate.comparison import COMPARISON_SCHEMA
from cxrbench.report.differences import by_ingredient, difference, from_best
from cxrbench.report.headline import verdict


def compared(rows: list[tuple[str, str, float, float | None, float | None]]) -> pl.DataFrame:
    """Rows of approach a, approach b, difference, lower, upper."""
    keys = ("approach_a", "approach_b", "difference", "lower", "upper")
    return pl.DataFrame([dict(zip(keys, row, strict=True)) for row in rows], schema=COMPARISON_SCHEMA)


def said(ranked: list[str], rows: list[tuple[str, str, float, float | None, float | None]]) -> str:
    return verdict(ranked, from_best(compared(rows), ranked))


def test_ahead_of_all():
    text = said(["a", "b", "c"], [("a", "b", 0.02, 0.01, 0.03), ("a", "c", 0.05, 0.04, 0.06)])
    assert text == (
        "It is ahead of the runner-up, b, by 0.020 (95 % interval 0.010 to 0.030), and of every other approach."
    )


def test_too_little():
    text = said(["a", "b", "c"], [("a", "b", 0.002, -0.01, 0.014), ("a", "c", 0.05, 0.04, 0.06)])
    assert "too little to call it better. The data cannot tell it from b; one approach is clearly behind." in text


def test_nothing_can_be_told_apart():
    text = said(["a", "b", "c"], [("a", "b", 0.002, -0.01, 0.014), ("a", "c", 0.003, -0.04, 0.06)])
    assert text.endswith("The data cannot tell it from any other approach.")


def test_the_runner_up_may_be_surer_than_the_third():
    text = said(["a", "b", "c"], [("a", "b", 0.02, 0.01, 0.03), ("a", "c", 0.03, -0.01, 0.07)])
    assert text.endswith("but the data cannot tell it from c.")


def test_without_intervals_nothing_is_claimed():
    assert "cannot be said from these data" in said(["a", "b"], [("a", "b", 0.02, None, None)])


def test_alone():
    assert "nothing to compare it with" in said(["a"], [])


def test_a_difference_reads_the_same_either_way_round():
    rows = compared([("a", "b", 0.02, -0.01, 0.05)])
    forth, back = difference(rows, "a", "b", label=""), difference(rows, "b", "a", label="")
    assert (forth.value, forth.lower, forth.upper) == (0.02, -0.01, 0.05)
    assert (back.value, back.lower, back.upper) == (-0.02, -0.05, 0.01)
    assert difference(rows, "a", "c", label="") is None


@pytest.mark.parametrize(
    ("lower", "upper", "is_clear"), [(0.01, 0.02, True), (-0.02, -0.01, True), (-0.01, 0.01, False)]
)
def test_clear_means_that_the_interval_excludes_zero(lower, upper, is_clear):
    found = difference(compared([("a", "b", 0.0, lower, upper)]), "a", "b", label="")
    assert found.is_clear is is_clear


def test_ingredients_are_with_minus_without():
    rows = compared([("1channel", "large", -0.03, -0.04, -0.02), ("ft", "ft-meta", -0.01, -0.02, 0.0)])
    found = {one.label: one for one in by_ingredient(rows, ["1channel", "large", "ft", "ft-meta"])}
    assert set(found) == {"large − 1channel", "ft-meta − ft"}
    assert found["large − 1channel"].value == 0.03
    assert found["ft-meta − ft"].topic == "Age, sex and view"
