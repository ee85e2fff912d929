"""One small study's materials, and one of its runs."""

import pytest

from cxrbench.config import StudySettings
from cxrbench.study import make_plan, prepare_study


@pytest.fixture(scope="session")
def materials(make_archive, tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    settings = StudySettings(
        data=make_archive(folder / "films"),
        out=folder / "study",
        approaches=("1channel-meta",),
        profile="small",
        splits={"resamples": 1},
        recipe={"epochs": 4, "batch_size": 16},
        workers=1,
    )
    return prepare_study(settings)


@pytest.fixture
def config(materials):
    return make_plan(materials).to_do[0].config
