"""Runs with operations on films and views at test time: they resume bit for bit."""

import numpy as np
import pytest

from cxrbench.config import AUGMENTATIONS, with_changes
from cxrbench.study import make_plan
from fitting import fit, logits

NEEDED = {"module": {"function": "own_operation:tilted"}}


def augmented(materials, *operations, **changes):
    """The study's first run, two epochs long, with operations."""
    config = make_plan(materials).to_do[0].config
    values = {"augmentation.operations": operations, "recipe.epochs": 2, **changes}
    return config.model_copy(update={"approach": with_changes(config.approach, values)})


@pytest.mark.parametrize("name", AUGMENTATIONS.names)
def test_a_run_with_an_operation_goes_on_as_if_it_had_not_been_stopped(name, materials, tmp_path):
    config = augmented(materials, {name: {"probability": 0.7, **NEEDED.get(name, {})}})
    undisturbed = fit(config, tmp_path / "undisturbed", materials)

    def stop(step):
        if (step.epoch, step.batch) == (1, 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(config, tmp_path / "stopped", materials, report=stop)
    resumed = fit(config, tmp_path / "stopped", materials)
    assert np.array_equal(logits(resumed), logits(undisturbed))


def test_views_change_predictions_and_not_the_training(materials, tmp_path):
    plain = fit(augmented(materials), tmp_path / "plain", materials)
    views = fit(augmented(materials, **{"test_time.flip": True}), tmp_path / "views", materials)
    for part in ("val", "test"):
        assert not np.array_equal(logits(views, part), logits(plain, part))
    assert (views / "checkpoint.safetensors").read_bytes() == (plain / "checkpoint.safetensors").read_bytes()
