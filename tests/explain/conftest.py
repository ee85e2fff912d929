"""A small study with two real runs, twins with and without non-image features, made once."""

import pytest

from cxrbench.config import StudySettings
from cxrbench.explain.trained import load_trained, open_study
from cxrbench.runs import RunName
from cxrbench.study import carry_out, make_plan, prepare_study


@pytest.fixture(scope="session")
def study_folder(make_archive, tmp_path_factory):
    folder = tmp_path_factory.mktemp("explain")
    settings = StudySettings(
        data=make_archive(folder / "films"),
        out=folder / "study",
        approaches=("1channel", "1channel-meta"),
        profile="small",
        splits={"resamples": 1},
        recipe={"epochs": 6, "batch_size": 16},
        workers=1,
    )
    outcomes = list(carry_out(make_plan(prepare_study(settings))))
    assert [outcome.failure for outcome in outcomes] == [None, None]
    return folder / "study"


@pytest.fixture(scope="session")
def opened(study_folder):
    return open_study(study_folder)


@pytest.fixture(scope="session")
def image_run(opened):
    return load_trained(opened, RunName("1channel", "resample-1", 0))


@pytest.fixture(scope="session")
def meta_run(opened):
    return load_trained(opened, RunName("1channel-meta", "resample-1", 0))
