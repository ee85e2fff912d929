"""Packaged approaches of the field train as written, at profile small: phases, losses, samplers, averages."""

import numpy as np
import polars as pl
import pytest

from cxrbench.config import StudySettings, load_approach, with_changes
from cxrbench.models.classifier import described
from cxrbench.runs import HISTORY_FILE
from cxrbench.study import make_plan, prepare_study
from cxrbench.training.optimisers import parameter_groups
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


@pytest.mark.parametrize("name", ["eva-x-ti", "eva-x-b"])
def test_rates_and_decay_are_those_of_eva_xs_script(name):
    """Its ``lr_decay.py``: the stem is layer 0, block i layer i + 1, the rest layer 13; 0.55^(13 - layer) of 0.001."""
    approach = with_changes(load_approach(name), {"input.mean": [0.5] * 3, "input.std": [0.25] * 3})
    network = described(approach, findings=3)
    [phase] = approach.recipe.phases
    found = {
        id(parameter): (group["lr"], group["weight_decay"])
        for group in parameter_groups(network, phase.optimiser.settings)
        for parameter in group["params"]
    }
    for parameter_name, parameter in network.named_parameters():
        own = parameter_name.removeprefix("backbone.network.")
        layer = 13
        if own.startswith(("cls_token", "pos_embed", "patch_embed")):
            layer = 0
        elif own.startswith("blocks."):
            layer = int(own.split(".")[1]) + 1
        is_spared = parameter.ndim == 1 or own in {"pos_embed", "cls_token"}
        expected = (0.001 * 0.55 ** (13 - layer), 0.0 if is_spared else 0.05)
        assert found[id(parameter)] == pytest.approx(expected), parameter_name
