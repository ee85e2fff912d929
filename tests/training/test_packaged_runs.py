"""Packaged approaches of the field train as written, at profile small: phases, losses, samplers, averages."""

import numpy as np
import polars as pl
import pytest

from cxrbench.config import StudySettings
from cxrbench.runs import HISTORY_FILE
from cxrbench.study import make_plan, prepare_study
from fitting import fit, logits

# The frozen one needs weights; the others do without, so that nothing has to be made for them.
TRAINED_WHOLE = ("chexnet", "densenet121-asl", "convnext", "eva-x-ti", "eva-x-s", "eva-x-b", "convnextv2-csra")


@pytest.fixture(scope="module")
def planned(make_archive, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packaged")
    settings = StudySettings(
        data=make_archive(folder / "films", patients=24),
        out=folder / "study",
        approaches=TRAINED_WHOLE,
        profile="small",
        splits={"resamples": 1},
        overrides={
            "network.weights": "none",
            "input.mean": [0.5] * 3,
            "input.std": [0.25] * 3,
            "recipe.epochs": 2,
        },
        workers=1,
    )
    materials = prepare_study(settings)
    return materials, {run.config.approach.name: run.config for run in make_plan(materials).to_do}


@pytest.mark.parametrize("name", TRAINED_WHOLE)
def test_a_packaged_approach_trains_as_written(name, planned, tmp_path):
    materials, configs = planned
    config = configs[name]
    assert config.approach.recipe.phases
    folder = fit(config, tmp_path / name, materials)
    history = pl.read_csv(folder / HISTORY_FILE)
    assert len(history) == config.approach.recipe.total_epochs
    assert history["train_loss"].is_finite().all()
    assert np.isfinite(logits(folder)).all()
