"""A whole study is evaluated from its files, and results are replaced as a whole."""

import shutil

import pytest

from cxrbench.errors import StudyError
from cxrbench.evaluate import evaluate_study
from cxrbench.report import write_report
from cxrbench.runs import RunName
from fake_study import result, write_fake_study


def test_results_are_the_same_again_and_replace_the_earlier(small):
    evaluate_study(small, replicates=20)
    before = {path.name: path.read_bytes() for path in (small / "results").iterdir()}
    (small / "results" / "stale.csv").write_text("old")
    evaluate_study(small, replicates=20)
    assert {path.name: path.read_bytes() for path in (small / "results").iterdir()} == before
    assert not list(small.glob("results?*"))


def test_nothing_finished(tmp_path):
    (tmp_path / "runs").mkdir()
    with pytest.raises(StudyError, match="runs has no finished run"):
        evaluate_study(tmp_path)


def test_one_seed_each_but_different_ones_makes_a_report(tmp_path):
    study = write_fake_study(tmp_path / "study", patients=120, resamples=0, official=True, seeds=(0, 1))
    shutil.rmtree(RunName("ft", "official", 0).folder(study))
    shutil.rmtree(RunName("ft-meta", "official", 1).folder(study))
    evaluate_study(study, replicates=0)
    assert result(study, "comparison.csv")["question"].unique().to_list() == ["this model on new patients"]
    assert write_report(study).is_file()
