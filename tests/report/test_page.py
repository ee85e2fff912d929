"""The page of a study: complete, self-contained, accessible."""

import re
from itertools import pairwise

import polars as pl
import pytest

from cxrbench.errors import StudyError
from cxrbench.report import write_report
from fake_study import STRENGTHS, write_fake_study
from report_pages import small_study


def test_nothing_is_fetched(reported_study):
    text = (reported_study / "report" / "index.html").read_text(encoding="utf-8")
    fetched = re.findall(r'(?:src|(?<!xlink:)href|action|poster|data)\s*=\s*"([^"]*)"', text)
    assert all(re.fullmatch(r"#[\w-]+|tables/[\w-]+\.(csv|tex)", address) for address in fetched), fetched
    assert not re.findall(r"@import|url\((?!#)|fetch\(|XMLHttpRequest|<(?:link|iframe|img|object)\b", text)
    addresses = set(re.findall(r'https?://[^\s"<>]+', text))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_ids_are_unique_and_links_lead_somewhere(reported_study, reported_page):
    ids = [attributes["id"] for _, attributes in reported_page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [link["href"] for link in reported_page.all("a")]
    assert len(targets) > 5
    assert all(target.removeprefix("#") in ids for target in targets if target.startswith("#"))
    files = [reported_study / "report" / target for target in targets if not target.startswith("#")]
    assert len(files) > 20
    assert all(file.is_file() for file in files)


def test_headings_descend_one_by_one(reported_page):
    levels = [int(tag[1]) for tag, _ in reported_page.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_everything_is_on_it(reported_page):
    said = {text for _, text in reported_page.headings}
    assert {
        "Which of three approaches is best on generated radiographs?", "Re-samples by patient", "Official split",
        "AUC per finding", "How sure the differences are", "What each ingredient changes", "ROC curves",
        "Do the approaches agree?", "Groups of images", "The archive", "Training", "Not in this report", "Provenance",
        "Machines and versions",
    } <= said  # fmt: skip


def test_tables_have_captions_and_headers(reported_page):
    assert len(reported_page.all("table")) == len(reported_page.all("caption")) > 8
    assert {header.get("scope") for header in reported_page.all("th")} == {"row", "col"}


def test_figures_say_what_they_show(reported_page):
    drawn = [svg for svg in reported_page.all("svg") if svg.get("aria-hidden") != "true"]
    assert len(drawn) > 40
    assert all(svg["role"] == "img" and len(svg["aria-label"]) > 20 for svg in drawn)


def test_numbers_are_those_of_the_results(reported_study, reported_page):
    summary = pl.read_csv(reported_study / "results" / "auc_summary.csv", infer_schema_length=None).filter(
        pl.col("group") == "all", pl.col("finding") == "mean", pl.col("kind") == "resample"
    )
    for row in summary.iter_rows(named=True):
        assert f"{row['mean']:.3f} ± {row['sd']:.3f}" in reported_page.text
    best = summary.sort("mean")["approach"][-1]
    assert f"{best} has the highest mean AUC" in reported_page.text


def test_the_same_tables_and_figures_lie_beside_it(reported_study, reported_page):
    folder = reported_study / "report"
    tables = {path.stem for path in (folder / "tables").glob("*.csv")}
    assert tables == {path.stem for path in (folder / "tables").glob("*.tex")}
    assert {"auc-resample", "auc-official", "archive", "splits", "runs", "failures", "best-resample"} <= tables
    assert len(list((folder / "figures").glob("*.svg"))) == len(
        [svg for svg in reported_page.all("svg") if svg.get("aria-hidden") != "true"]
    )


def test_an_earlier_report_is_replaced(reported_study):
    (reported_study / "report" / "stale.txt").write_text("old")
    before = (reported_study / "report" / "index.html").read_bytes()
    assert write_report(reported_study) == reported_study / "report" / "index.html"
    assert (reported_study / "report" / "index.html").read_bytes() == before
    assert not (reported_study / "report" / "stale.txt").exists()


def test_without_results(tmp_path):
    study = write_fake_study(tmp_path / "study", patients=40, resamples=1, approaches=["ft"])
    with pytest.raises(StudyError, match=r"auc\.csv cannot be read .*; evaluate the study again"):
        write_report(study)


def test_all_sixteen_approaches_fit(tmp_path):
    names = [f"{depth}{name}" for depth in ("", "resnet101-") for name in STRENGTHS]
    text = small_study(tmp_path / "study", approaches=names)
    assert "Which of 16 approaches is best" in text
