"""A study of version 0.1 gives the results that version 0.1 gave, bit for bit."""

import shutil
from pathlib import Path

import pytest

from cxrbench.evaluate.study import evaluate_study

STUDY = Path(__file__).parents[1] / "fixtures" / "study-0.1" / "study"
TABLES = sorted(path.name for path in (STUDY / "results").glob("*.csv"))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    copy = tmp_path_factory.mktemp("of-0-1") / "study"
    shutil.copytree(STUDY, copy, ignore=shutil.ignore_patterns("results"))
    return evaluate_study(copy)


@pytest.mark.parametrize("name", TABLES)
def test_every_value_is_the_one_of_version_0_1(results, name):
    assert (results / name).read_text() == (STUDY / "results" / name).read_text()
