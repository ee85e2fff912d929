"""Heat maps on the page: with their intervals, beside maps that know nothing."""

import re

import polars as pl

from cxrbench.evaluate import evaluate_study
from cxrbench.report import write_report
from cxrbench.runs import finished_runs
from fake_study import write_fake_study
from report_pages import FEW, page_section, write_localisation

LOOK, WORTH = "What the networks look at", "What age, sex and view contribute"


def test_maps_are_shown_with_their_intervals_beside_those_that_know_nothing(analysed_study, analysed_page):
    shown = page_section(analysed_page, "localisation")
    assert LOOK in shown
    assert "Nobody has asked" not in shown
    table = pl.read_csv(analysed_study / "localisation" / "localisation.csv", infer_schema_length=None)
    row = table.filter(finding="Mass", method="cam", measure="pointing").row(0, named=True)
    assert f"<title>Mass, cam: 0.50 ({row['lower']:.2f} to {row['upper']:.2f})</title>" in shown
    assert "<title>All findings, centre: 0.00" in shown
    printed = (analysed_study / "report" / "tables" / "pointing-resample-ft-meta.csv").read_text()
    assert (
        printed.splitlines()[0] == "Finding,Films,Patients,cam,layer-cam,centre,random,cam − centre,layer-cam − centre"
    )
    assert len(printed.splitlines()) == 4


def test_overlap_is_shown_at_each_level(analysed_study, analysed_page):
    assert analysed_page
    lines = (analysed_study / "report" / "tables" / "overlap-resample-ft-meta.csv").read_text().splitlines()
    assert len(lines) == 1 + 4 * 3
    at_half = next(line for line in lines if "cam, 50" in line)
    assert re.findall(r",(\d\.\d\d)", at_half)[:5] == ["0.35", "1.00", "1.00", "1.00", "0.00"]


def test_the_sanity_check_is_shown(analysed_page):
    shown = page_section(analysed_page, "localisation")
    assert "Sanity check: rank correlation of the maps of 8 boxed findings" in shown
    assert "+ layer4" in shown
    assert "0.05 to 0.45" in shown


def test_one_contact_sheet_lies_in_the_page(analysed_page):
    images = re.findall(r'<img src="([^"]{0,40})', analysed_page)
    assert images == ["data:image/jpeg;base64,/9j/4AAQSkZJRgABA"]
    assert "whoever gets this page gets them" in analysed_page
    assert len(analysed_page) < 3e6


def test_several_runs_have_dots_and_no_interval(tmp_path):
    folder = write_fake_study(tmp_path / "study", patients=80, approaches=["ft"], resamples=2, findings=FEW)
    evaluate_study(folder, replicates=0)
    write_localisation(folder, finished_runs(folder))
    shown = page_section(write_report(folder).read_text(encoding="utf-8"), "localisation")
    assert "A dot per run, a bar at their mean" in shown
    assert "mean ± SD over 2 runs" in shown
    assert "<title>Mass, cam: 0.50 (± 0.00)</title>" in shown
