"""The archive on the page: what is unknown or left out is said."""

import json

import polars as pl
import pytest

import fake_study
from cxrbench import files, runs
from cxrbench.evaluate import evaluate_study
from cxrbench.report import write_report
from fake_study import write_fake_study
from report_pages import FEW, Page, small_study


def without(monkeypatch, **columns):
    """Let fake studies have other values in some columns of their table."""
    whole = fake_study.fake_table
    monkeypatch.setattr(
        fake_study, "fake_table", lambda *given, **named: whole(*given, **named).with_columns(**columns)
    )


@pytest.mark.parametrize("view", ["PA", None], ids=["one view", "no view"])
def test_a_study_that_knows_neither_age_nor_sex(tmp_path, monkeypatch, view):
    unknown = {"age_years": pl.lit(None, pl.Float32), "sex": pl.lit(None, pl.String)}
    without(monkeypatch, **unknown, view=pl.lit(view, pl.String))
    said = small_study(tmp_path / "study")
    assert "No patient’s age is known." in said
    assert "Sex unknown" in said
    assert not (tmp_path / "study/report/figures/ages.svg").exists()


def test_findings_that_no_network_answers_are_named_with_the_split_that_lacks_them(tmp_path):
    folder = write_fake_study(tmp_path / "study", patients=60, resamples=1, approaches=["ft"], findings=FEW)
    record = json.loads((folder / runs.STUDY_FILE).read_text())
    lacking = {"Stent": {"resample-1": "0 positive patients", "resample-2": "0 positive patients"}}
    record["vocabulary"]["findings"] += [{"name": name} for name in ("Stent", "Línea PICC")]
    record["left_out"] = {**lacking, "Línea PICC": {"resample-2": "not stated"}}
    files.write_json(folder / runs.STUDY_FILE, record)
    evaluate_study(folder, replicates=0)
    said = Page(write_report(folder).read_text(encoding="utf-8")).text
    assert "No network answers Stent and Línea PICC, which the labels name" in said
    assert "0 positive patients in the training part of resample-1, resample-2" in said
    table = pl.read_csv(folder / "report/tables/left-out.csv")
    assert table.rows()[1] == ("Línea PICC", "not stated in the training part of resample-2")


def test_a_study_of_nihs_findings_has_none_left_out(reported_page, reported_study):
    assert "no network answers" not in reported_page.text
    assert not (reported_study / "report/tables/left-out.csv").exists()
