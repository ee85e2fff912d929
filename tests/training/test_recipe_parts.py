"""What every optimiser, schedule, loss, sampler and average must pass by itself.

Each is built from its default settings, trains, and is stopped in the middle of an epoch in the middle of a phase; the
run that goes on leaves the same weights, state and history as the one that was not stopped, bit for bit.
"""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cxrbench.config import AUGMENTATIONS, AVERAGES, LOSSES, OPTIMISERS, SAMPLERS, SCHEDULES, TIMM_OPTIMISERS
from small_fit import left_by, make_fit, run_fit, same

NEEDED = {
    "adam": {"rate": 0.01},
    "adamw": {"rate": 0.01},
    "sgd": {"rate": 0.01},
    "module optimiser": {"rate": 0.01, "function": "small_fit:momentum", "options": {"beta": 0.5}},
    "module schedule": {"function": "small_fit:staircase"},
    "module loss": {"function": "small_fit:Counting"},
    "module sampler": {"function": "small_fit:rare_first"},
}
"""Settings without a default."""


def spelt(registry):
    """Return every part of a kind, as YAML spells it, with no more settings than it needs."""
    found = [{name: NEEDED.get(f"{name} {registry.kind}", NEEDED.get(name, {}))} for name in registry.names]
    if registry is OPTIMISERS:
        found.remove({"timm": {}})
        found += [{"timm": {"name": name, "rate": 0.01}} for name in TIMM_OPTIMISERS]
    return found


def of_parts(*, optimiser=None, schedule="constant", **recipe):
    optimiser = optimiser or {"adam": 0.01}
    head = {"epochs": 1, "trained": "head", "optimiser": optimiser, "schedule": schedule}
    return {"phases": [head, {"epochs": 3, "optimiser": optimiser, "schedule": schedule}]} | recipe


CASES = (
    [of_parts(optimiser=each) for each in spelt(OPTIMISERS)]
    + [of_parts(schedule=each) for each in spelt(SCHEDULES)]
    + [of_parts(loss=each) for each in spelt(LOSSES)]
    + [of_parts(sampler=each) for each in spelt(SAMPLERS)]
    + [of_parts(average_weights=each) for each in spelt(AVERAGES)]
)
NAMES = [
    f"{registry.kind}-{'-'.join([*each, *([each['timm']['name']] if 'timm' in each else [])])}"
    for registry in (OPTIMISERS, SCHEDULES, LOSSES, SAMPLERS, AVERAGES)
    for each in spelt(registry)
]


@pytest.mark.parametrize("recipe", CASES, ids=NAMES)
def test_a_stopped_run_goes_on_as_if_it_had_not_been(recipe, tmp_path):
    whole = run_fit(recipe, tmp_path / "whole")

    def stop(step):
        if (step.epoch, step.batch) == (2, 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_fit(recipe, tmp_path / "stopped", report=stop)
    begun = make_fit(recipe, tmp_path / "stopped")
    assert (begun.state.epochs_done, begun.state.phase, begun.state.phase_epochs) == (2, 1, 1)
    run_fit(recipe, tmp_path / "stopped")
    assert same(left_by(tmp_path / "stopped"), left_by(tmp_path / "whole"))
    assert whole.state.epochs_done == 4
    fresh = make_fit(recipe, tmp_path / "fresh")
    moved = [not torch.equal(*pair) for pair in zip(whole.judged.parameters(), fresh.judged.parameters(), strict=True)]
    assert sum(moved) >= len(moved) - 1  # a bias before batch norm has no gradient


EVERYTHING = of_parts(
    optimiser={"adamw": {"rate": 0.02, "weight_decay": 0.1, "layer_decay": 0.7}},
    schedule={"plateau": {"after": 1}},
    loss={"module": {"function": "small_fit:Counting", "soft_targets": True}},
    operations=[entry.name for entry in AUGMENTATIONS.own if entry.name != "module"],
    sampler="balanced",
    average_weights={"ema": 0.9},
    choose_epoch_by="validation mean AUC",
    clip_norm=1.0,
)


def test_a_run_that_is_killed_goes_on_as_if_it_had_not_been(tmp_path):
    run_fit(EVERYTHING, tmp_path / "whole")
    call = [sys.executable, Path(__file__).parents[1] / "small_fit.py", json.dumps(EVERYTHING), tmp_path / "killed"]
    killed = subprocess.run(call, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    begun = make_fit(EVERYTHING, tmp_path / "killed")
    assert (begun.state.phase, begun.state.phase_epochs) == (1, 1)
    run_fit(EVERYTHING, tmp_path / "killed")
    assert same(left_by(tmp_path / "killed"), left_by(tmp_path / "whole"))


def test_the_state_of_an_older_version_is_not_gone_on_from(tmp_path):
    run_fit(of_parts(), tmp_path)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    del state["format"]
    torch.save(state, tmp_path / "state.pt")
    assert make_fit(of_parts(), tmp_path).state.epochs_done == 0
