"""A finished study opens as frames, and shows itself."""

import shutil
from pathlib import Path

import polars as pl
import pytest

import cxrbench as cxr
from cxrbench.evaluate import evaluate_study

STUDY = Path(__file__).parents[1] / "fixtures/study-0.1/study"


def test_a_study_knows_its_runs():
    study = cxr.open_study(STUDY)
    assert study.approaches == ("tiny-meta", "tiny-ots")
    assert [run.split for run in study.runs] == ["resample-1", "resample-2"] * 2


def test_auc_is_that_of_all_images():
    found = cxr.open_study(STUDY).auc()
    expected = pl.read_csv(STUDY / "results/auc_summary.csv").filter(group="all")
    assert found["mean"].to_list() == expected["mean"].to_list()


def test_a_comparison_can_be_turned():
    study = cxr.open_study(STUDY)
    one, other = (study.compare(*pair) for pair in (("tiny-meta", "tiny-ots"), ("tiny-ots", "tiny-meta")))
    assert one["difference"].to_list() == (-other["difference"]).to_list()
    assert one["upper"].to_list() == (-other["lower"]).to_list()


def test_an_unknown_approach_lists_the_known_ones():
    with pytest.raises(cxr.CxrbenchError, match="'tiny'; it compares tiny-meta, tiny-ots"):
        cxr.open_study(STUDY).compare("tiny", "tiny-ots")


def test_an_unknown_table_lists_the_known_ones():
    with pytest.raises(KeyError, match="no table 'aucs'; there are auc, auc_seeds"):
        cxr.open_study(STUDY).tables["aucs"]


def test_a_folder_that_is_no_study_is_one_line(tmp_path):
    with pytest.raises(cxr.CxrbenchError, match=r"study\.json does not exist"):
        cxr.open_study(tmp_path)


def test_a_notebook_shows_the_report_s_figure(tmp_path):
    copy = tmp_path / "study"
    shutil.copytree(STUDY, copy, ignore=shutil.ignore_patterns("results"))
    evaluate_study(copy, replicates=0)
    shown = cxr.open_study(copy)._repr_html_()
    assert "4 runs of tiny-meta, tiny-ots" in shown
    assert "<svg " in shown
    assert "<?xml" not in shown


def test_a_study_without_results_says_how_to_get_them(tmp_path):
    shutil.copy(STUDY / "study.json", tmp_path)
    assert "cxrbench report" in cxr.open_study(tmp_path)._repr_html_()


def test_settings_that_do_not_exist_are_refused():
    with pytest.raises(cxr.CxrbenchError, match="epoch"):
        cxr.run_study(data="films", out="study", epoch=3)
