"""Differences read the same either way round, and are clear where the interval says so."""

import polars as pl
import pytest

from cxrbench.evaluate.comparison import COMPARISON_SCHEMA
from cxrbench.report.differences import by_ingredient, difference


def compared(rows: list[tuple[str, str, float, float | None, float | None]]) -> pl.DataFrame:
    """Rows of approach a, approach b, difference, lower, upper."""
    keys = ("approach_a", "approach_b", "difference", "lower", "upper")
    return pl.DataFrame([dict(zip(keys, row, strict=True)) for row in rows], schema=COMPARISON_SCHEMA)


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
