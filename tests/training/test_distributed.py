"""A batch in shares, by one process after another or by two at once, learns what the whole batch does."""

import json
import multiprocessing
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import torch

from cxrbench.config import ComputeSettings, WeightsRecord, load_approach, load_profile, with_changes
from cxrbench.errors import DataError, TrainingError
from cxrbench.models.classifier import Classifier
from cxrbench.models.weights.stand_in import stand_in_weights
from cxrbench.runs import ENVIRONMENT_FILE, HISTORY_FILE
from cxrbench.training import STATE_FILE, distributed, epochs_done
from fitting import changed, fit, logits, losses

SMALL = load_profile("small")
NEEDS_CPU = pytest.mark.skipif(
    torch.cuda.is_available(), reason="there is a GPU, which would be used; this is about two processes on a CPU"
)


def frozen(config, name="ots-meta"):
    approach = SMALL.apply(load_approach(name))
    record = WeightsRecord(source="test", digest="0" * 64, is_stand_in=True)
    config = config.model_copy(update={"approach": approach, "weights": record})
    return changed(config, epochs=3, learning_rate=0.01, batch_size=16)


def in_phases(config, **recipe):
    approach = with_changes(config.approach, {"recipe": recipe})
    return config.model_copy(update={"approach": approach})


@NEEDS_CPU
def test_two_processes_have_the_losses_of_one(config, materials, tmp_path):
    approach = frozen(config)
    weights = stand_in_weights(approach.approach.network.backbone, image_size=64, steps=0)
    one = fit(approach, tmp_path / "one", materials, weights=weights)
    steps = []
    two = fit(
        approach,
        tmp_path / "two",
        materials,
        weights=weights,
        compute=ComputeSettings(devices=2, device_batch=4),
        report=steps.append,
    )
    said = json.loads((two / ENVIRONMENT_FILE).read_text())["compute"]
    assert (said["devices"], said["accumulate"]) == (2, 2)
    np.testing.assert_allclose(losses(two), losses(one), rtol=0, atol=1e-5)
    np.testing.assert_allclose(logits(two), logits(one), rtol=0, atol=1e-4)
    assert np.ptp(losses(one)[:, 0]) > 0.01
    assert [(step.epoch, step.batch) for step in steps] == [
        (epoch, batch + 1) for epoch in range(3) for batch in range(steps[0].batches)
    ]
    assert not torch.distributed.is_initialized()


@NEEDS_CPU
def test_two_processes_learn_in_phases_from_cached_features_what_one_does(config, materials, tmp_path):
    phase = {"epochs": 1, "trained": "head", "optimiser": {"adamw": 0.01}, "schedule": "cosine"}
    more = {"average_weights": {"ema": 0.9}, "loss": "focal", "sampler": "balanced", "batch_size": 16}
    approach = in_phases(frozen(config, "ots-cached"), phases=[phase, phase | {"epochs": 2}], **more)
    weights = stand_in_weights(approach.approach.network.backbone, image_size=64, steps=0)
    one = fit(approach, tmp_path / "one", materials, weights=weights)
    two = fit(approach, tmp_path / "two", materials, weights=weights, compute=ComputeSettings(devices=2))
    np.testing.assert_allclose(losses(two), losses(one), rtol=0, atol=1e-5)
    np.testing.assert_allclose(logits(two), logits(one), rtol=0, atol=1e-4)
    aucs = [pl.read_csv(each / HISTORY_FILE)["val_auc"].to_numpy() for each in (one, two)]
    np.testing.assert_allclose(aucs[1], aucs[0], rtol=0, atol=1e-2)  # of 12 images, two may change places


@pytest.fixture
def shared_fit(config, materials, tmp_path):
    """A fit by two processes."""
    approach = frozen(config)
    weights = stand_in_weights(approach.approach.network.backbone, image_size=64, steps=0)

    def make(**options):
        return fit(approach, tmp_path, materials, weights=weights, compute=ComputeSettings(devices=2), **options)

    return make


@NEEDS_CPU
def test_a_process_that_is_killed_ends_the_run_at_once(shared_fit, tmp_path):
    others = set(multiprocessing.active_children())  # of tests before

    def kill(step):
        if step.epoch == 1:
            (set(multiprocessing.active_children()) - others).pop().kill()

    with pytest.raises(TrainingError, match="processes that share the batches was lost: it was killed"):
        shared_fit(report=kill)
    assert not torch.distributed.is_initialized()
    assert epochs_done(tmp_path / STATE_FILE) == 1


@NEEDS_CPU
def test_a_process_that_is_killed_before_it_takes_part_is_not_waited_for(shared_fit, monkeypatch):
    def start_and_kill(*arguments):
        other = start(*arguments)
        other.process.kill()
        return other

    start = distributed._started
    monkeypatch.setattr(distributed, "_started", start_and_kill)
    with pytest.raises(TrainingError, match="was lost: it was killed"):
        shared_fit()


def test_a_process_that_fails_says_why():
    def begin(rank):
        raise DataError(f"no store for {rank}")

    line, theirs = multiprocessing.Pipe(duplex=False)
    with pytest.raises(DataError, match="no store for 1"):
        distributed._help(SimpleNamespace(begin=begin), 1, 0, theirs)
    with (
        pytest.raises(TrainingError, match=r"was lost: DataError: no store for 1$"),
        distributed._watching([distributed._Other(multiprocessing.current_process(), line)]),
    ):
        pytest.fail("began without it")


def test_a_failure_of_ones_own_is_not_blamed_on_a_process_that_was_done():
    line, theirs = multiprocessing.Pipe(duplex=False)
    theirs.send(None)
    theirs.close()
    done = SimpleNamespace(exitcode=0, join=lambda timeout: None)
    with pytest.raises(RuntimeError, match="my own"), distributed._watching([distributed._Other(done, line)]):
        raise RuntimeError("my own")


def keep_statistics(classifier, mode=True):
    """Train everything, batch-norm statistics excepted."""
    torch.nn.Module.train(classifier, mode)
    classifier.backbone.eval()
    return classifier


def test_gradients_added_up_are_those_of_the_batch(config, materials, tmp_path, monkeypatch):
    monkeypatch.setattr(Classifier, "train", keep_statistics)
    short = changed(config, epochs=2, learning_rate=1e-4)
    whole = fit(short, tmp_path / "whole", materials)
    parts = fit(short, tmp_path / "parts", materials, compute=ComputeSettings(device_batch=4))
    np.testing.assert_allclose(losses(parts), losses(whole), rtol=0, atol=1e-4)


def test_more_devices_than_images_to_judge_by_are_refused(config, materials, tmp_path):
    split = materials.splits[0]
    patient = (split.patients["val"][0],)  # three films
    few = split.__class__(**{**vars(split), "patients": {**split.patients, "val": patient}})
    approach = frozen(config)
    weights = stand_in_weights(approach.approach.network.backbone, image_size=64, steps=0)
    with pytest.raises(TrainingError, match=r"'resample-1' is too small .* val 3"):
        fit(
            approach,
            tmp_path / "few",
            materials.__class__(**{**vars(materials), "splits": (few,)}),
            weights=weights,
            compute=ComputeSettings(devices=4),
        )
