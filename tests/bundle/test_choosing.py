"""Which runs become a bundle."""

import pytest

from cxrbench.bundle import choose_runs
from cxrbench.errors import BundleError
from cxrbench.runs import RunName


@pytest.fixture
def study(tmp_path):
    for approach, split, seed in (
        ("ft", "official", 1), ("ft", "resample-1", 0), ("ft", "resample-1", 1), ("ots", "resample-1", 0)
    ):  # fmt: skip
        RunName(approach, split, seed).folder(tmp_path).mkdir(parents=True)
    return tmp_path


def test_the_first_split_and_its_first_seed(study):
    assert choose_runs(study, approaches=["ft"]) == (RunName("ft", "official", 1),)


def test_several_of_anything_make_an_ensemble(study):
    chosen = choose_runs(study, approaches=["ft"], splits=["resample-1"], seeds=[1, 0])
    assert chosen == (RunName("ft", "resample-1", 1), RunName("ft", "resample-1", 0))
    assert len(choose_runs(study, approaches=["ft", "ots"], splits=["resample-1"])) == 2


def test_an_approach_must_be_chosen_where_there_are_several(study):
    with pytest.raises(BundleError, match="choose with --approach: ft, ots"):
        choose_runs(study)


def test_what_is_not_there_is_named_beside_what_is(study):
    with pytest.raises(BundleError, match="no finished run of approach 'large'; it has ft, ots"):
        choose_runs(study, approaches=["large"])
    with pytest.raises(BundleError, match=r"ots / official / seed 0; it has resample-1 seed 0"):
        choose_runs(study, approaches=["ots"], splits=["official"])


def test_a_folder_without_runs(tmp_path):
    with pytest.raises(BundleError, match="has no finished run"):
        choose_runs(tmp_path)
