"""The first screen says as much as the intervals do, and no more."""

import polars as pl

from cxrbench.evaluate.comparison import COMPARISON_TABLE
from cxrbench.report.differences import from_best
from cxrbench.report.headline import verdict
from report_pages import small_study


def compared(rows: list[tuple[str, str, float, float | None, float | None]]) -> pl.DataFrame:
    """Rows of approach a, approach b, difference, lower, upper."""
    keys = ("approach_a", "approach_b", "difference", "lower", "upper")
    return pl.DataFrame([dict(zip(keys, row, strict=True)) for row in rows], schema=COMPARISON_TABLE.schema)


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
    assert "do not say how sure their order is" in said(["a", "b"], [("a", "b", 0.02, None, None)])


def test_cautions_are_first(tmp_path):
    text = small_study(tmp_path / "study")
    first = text.index("reaches a mean AUC")
    for caution in ("Part of the archive.", "Stand-in weights.", "Generated radiographs.", "Profile small."):
        assert -1 < text.index(caution) < first


def test_no_cautions_where_there_is_nothing_to_say(tmp_path):
    text = small_study(tmp_path / "study", profile="paper", is_stand_in=False, is_phantom=False)
    for caution in ("Stand-in weights.", "Generated radiographs.", "Profile paper."):
        assert caution not in text


def test_one_approach_has_nothing_to_be_compared_with(tmp_path):
    text = small_study(tmp_path / "study")
    assert text.strip().startswith("How well does ft do on generated radiographs?")
    assert "ft reaches a mean AUC over the pathologies of" in text
    for compared in (
        "How sure the differences are",
        "Do the approaches agree?",
        "runner-up",
        "Bold: the highest",
        "Grey: ft",
    ):
        assert compared not in text


def test_too_few_patients_for_an_interval_is_said(tmp_path):
    text = small_study(tmp_path / "study", patients=20, approaches=["ft", "large"], seed=3)
    assert "No interval can be given" in text
    assert "These data do not say how sure their order is: the difference has no interval (" in text
