"""Age, sex and view on the page: alone, beside the film, and with it."""

import polars as pl

from report_pages import page_section

LOOK, WORTH = "What the networks look at", "What age, sex and view contribute"


def test_age_sex_and_view_are_shown_alone_beside_the_film_and_with_it(analysed_study, analysed_page):
    shown = page_section(analysed_page, "nonimage")
    assert WORTH in shown
    table = pl.read_csv(analysed_study / "nonimage" / "nonimage.csv", infer_schema_length=None)
    for given, model, called in (("image", "ft", "film: ft"), ("both", "ft-meta", "both: ft-meta")):
        row = table.filter(given=given, model=model, finding="Effusion").row(0, named=True)
        assert f"Effusion, {called}: {row['auc']:.3f} ({row['lower']:.3f} to {row['upper']:.3f})" in shown
    comparison = pl.read_csv(analysed_study / "results" / "comparison.csv", infer_schema_length=None)
    gain = comparison.filter(finding="Effusion").row(0, named=True)
    value = gain["difference"] if gain["approach_a"] == "ft-meta" else -gain["difference"]
    assert f"{value:+.3f}".replace("-", "−") in shown
