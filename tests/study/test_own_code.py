"""Sources of the user's own network are part of a run: another source makes another run, in one clear line."""

import json
import sys

import pytest

from cxrbench.config import SplitPlan, StudySettings
from cxrbench.errors import StudyError
from cxrbench.files import partial_of
from cxrbench.study import carry_out, make_plan, perform, prepare_study
from cxrbench.study.plan import anew_notes
from cxrbench.training import cached_features

NETWORK = """
from torch import nn


def build(*, channels, image_size):
    return nn.Sequential(nn.Conv2d(channels, 4, 8, stride=8), nn.ReLU())
"""
APPROACH = """
name: own
summary: a network of the user's own
network: {backbone: {module: "studied_network:build"}, weights: none}
input: {image_size: 64, store_size: 64, channels: 1, mean: [0.5], std: [0.25]}
recipe: {learning_rate: 0.01, epochs: 1, batch_size: 16}
"""


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))  # the folder is added to it
    sys.modules.pop("studied_network", None)
    path = tmp_path / "studied_network.py"
    path.write_text(NETWORK)
    yield path
    sys.modules.pop("studied_network", None)


@pytest.fixture
def settings(source, make_archive, tmp_path):
    (tmp_path / "own.yaml").write_text(APPROACH)
    return StudySettings(
        data=make_archive(tmp_path / "films", side=64, patients=16),
        out=tmp_path / "study",
        approaches=(str(tmp_path / "own.yaml"),),
        splits=SplitPlan(resamples=1),
    )


def test_a_finished_run_of_other_sources_is_refused_in_one_line(settings, source):
    plan = make_plan(prepare_study(settings))
    (outcome,) = carry_out(plan)
    assert outcome.failure is None
    folder = plan.to_do[0].folder
    recorded = json.loads((folder / "config.json").read_text())
    assert list(recorded["code"]) == ["studied_network"]
    assert len(make_plan(prepare_study(settings)).done) == 1
    source.write_text(NETWORK + "# changed\n")
    with pytest.raises(StudyError) as caught:
        make_plan(prepare_study(settings))
    assert str(caught.value) == (
        f"{folder}: made with other sources of studied_network than are here now; delete it and train it again, or "
        "choose another --out"
    )


def test_a_planned_run_is_not_made_with_other_sources(settings, source):
    (task,) = make_plan(prepare_study(settings)).to_do
    source.write_text(NETWORK + "# changed\n")
    assert perform(task).failure.startswith(
        "the sources of studied_network are not those that the run was planned with"
    )


def test_an_unfinished_run_of_other_sources_begins_anew(settings, source):
    class StopError(Exception):
        pass

    def stop(step):
        if step.epoch == 1:
            raise StopError

    longer = settings.model_copy(update={"overrides": {"recipe.epochs": 2}})
    (task,) = make_plan(prepare_study(longer)).to_do
    assert perform(task, report=stop).failure.startswith("Stop")
    assert list(partial_of(task.folder).glob("*/state.pt"))
    assert anew_notes([task]) == ()
    source.write_text(NETWORK + "# changed\n")
    (changed,) = make_plan(prepare_study(longer)).to_do
    (note,) = anew_notes([changed])
    assert note.endswith("other settings or other code left them: own / resample-1 / seed 0")


def test_cached_features_of_other_sources_are_others(settings, source):
    (task,) = make_plan(prepare_study(settings)).to_do
    before = digest_of(task.config)
    assert digest_of(task.config) == before
    source.write_text(NETWORK + "# changed\n")
    (changed,) = make_plan(prepare_study(settings)).to_do
    assert digest_of(changed.config) != before


def digest_of(config):
    """Name of the network in what cached features depend on, its random weights drawn from one seed."""
    from cxrbench.models.classifier import build_classifier  # noqa: PLC0415

    classifier = build_classifier(config.approach, findings=2, seed=0, weights=None)
    return cached_features._network_digest(config, classifier)
