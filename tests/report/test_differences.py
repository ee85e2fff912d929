"""Differences read the same either way round, and are clear where the interval says so."""

from types import SimpleNamespace

import polars as pl
import pytest

from cxrbench.evaluate.comparison import COMPARISON_TABLE
from cxrbench.report.differences import by_ingredient, difference, rank_disagreement


def compared(rows: list[tuple[str, str, float, float | None, float | None]]) -> pl.DataFrame:
    """Rows of approach a, approach b, difference, lower, upper."""
    keys = ("approach_a", "approach_b", "difference", "lower", "upper")
    return pl.DataFrame([dict(zip(keys, row, strict=True)) for row in rows], schema=COMPARISON_TABLE.schema)


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


@pytest.mark.parametrize(
    ("ranks", "is_said"), [({"a": 1.2, "b": 1.4, "c": 3.0}, False), ({"a": 1.4, "b": 1.2, "c": 3.0}, True)]
)
def test_a_best_mean_rank_of_another_approach_is_explained(ranks, is_said):
    standing = pl.DataFrame({"approach": list(ranks), "mean_rank": list(ranks.values())})
    results = SimpleNamespace(tables=SimpleNamespace(standing=standing), ranked=["a", "b", "c"])
    assert ("b comes first (1.20, a 1.40)" in rank_disagreement(results)) is is_said
