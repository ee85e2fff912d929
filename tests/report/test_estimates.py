"""One run has an interval, several have a spread."""

import polars as pl

from cxrbench.report.estimates import Estimate, estimate_of


def test_an_estimate_of_one_run_has_its_interval_and_of_several_none():
    rows = pl.DataFrame({"estimate": [0.5, 0.7], "lower": [0.4, 0.6], "upper": [0.6, 0.8], "reason": [None, None]})
    one, two = estimate_of(rows[:1]), estimate_of(rows)
    assert (one.said(2), two.said(2)) == ("0.50 (0.40 to 0.60)", "0.60 (± 0.14)")
    assert estimate_of(rows.with_columns(estimate=None)) is None
    assert Estimate((0.5,), reason="few").said(2) == "0.50"
