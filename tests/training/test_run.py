"""One run, from batches to predictions."""

import json
import math

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import roc_auc_score

from cxrbench.config import ComputeSettings, read_run
from cxrbench.errors import TrainingError
from cxrbench.models.classifier import Classifier
from cxrbench.runs import CONFIG_FILE, ENVIRONMENT_FILE, HISTORY_FILE, WEIGHTS_FILE, predictions_file
from cxrbench.study import make_plan
from cxrbench.training import fit_run
from cxrbench.training.fit import STATE_FILE
from fitting import changed, fit, logits


@pytest.fixture(scope="module")
def undisturbed(materials, tmp_path_factory):
    config = make_plan(materials).to_do[0].config
    return fit(config, tmp_path_factory.mktemp("undisturbed"), materials)


def test_the_files_of_a_run_say_what_it_is(undisturbed, config, materials):
    said = json.loads((undisturbed / CONFIG_FILE).read_text())
    assert said["hash"] == config.hash
    assert read_run(said, where=undisturbed / CONFIG_FILE).config == config
    history = pl.read_csv(undisturbed / HISTORY_FILE)
    assert history["epoch"].to_list() == [0, 1, 2, 3]
    assert {path.name for path in undisturbed.iterdir()} == {
        CONFIG_FILE,
        "environment.json",
        HISTORY_FILE,
        WEIGHTS_FILE,
        predictions_file("val"),
        predictions_file("test"),
    }


@pytest.mark.parametrize("part", ["val", "test"])
def test_predictions_are_of_the_part_in_order(undisturbed, materials, part):
    found = pl.read_parquet(undisturbed / predictions_file(part))
    expected = materials.table[materials.splits[0].rows(materials.table, part)]
    assert found["image_id"].to_list() == expected["image_id"].to_list()
    assert found["patient_id"].to_list() == expected["patient_id"].to_list()
    assert found.columns[2:] == list(materials.findings)
    assert set(found.dtypes[2:]) == {pl.Float32}


def test_the_network_learns_what_is_plain_to_see(undisturbed, materials):
    found = pl.read_parquet(undisturbed / predictions_file("test"))
    truth = found.select("image_id").join(materials.table, on="image_id", how="left", maintain_order="left")
    is_present = truth["Effusion"].to_numpy() == 1
    scores = found["Effusion"].to_numpy()
    wins = (scores[is_present][:, None] > scores[~is_present]).mean()
    assert wins > 0.9


def test_two_runs_give_equal_predictions(undisturbed, config, materials, tmp_path):
    again = fit(config, tmp_path / "again", materials)
    assert np.array_equal(logits(again), logits(undisturbed))


def test_another_seed_gives_others(undisturbed, config, materials, tmp_path):
    other = fit(config.model_copy(update={"seed": 1}), tmp_path / "other", materials)
    assert not np.allclose(logits(other), logits(undisturbed))


@pytest.mark.parametrize("stop_at", [(0, 2), (1, 1), (3, 2)], ids=str)
def test_a_stopped_run_goes_on_as_if_it_had_not_been(undisturbed, config, materials, tmp_path, stop_at):
    def stop(step):
        if (step.epoch, step.batch) == stop_at:
            raise KeyboardInterrupt

    folder = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        fit(config, folder, materials, report=stop)
    assert (folder / STATE_FILE).exists() == (stop_at[0] > 0)
    epochs = []
    fit(config, folder, materials, report=lambda step: epochs.append(step.epoch))
    assert min(epochs) == stop_at[0]
    assert np.array_equal(logits(folder), logits(undisturbed))
    assert np.array_equal(logits(folder, "val"), logits(undisturbed, "val"))
    columns = ["train_loss", "val_loss", "learning_rate"]
    one, other = (pl.read_csv(each / HISTORY_FILE).select(columns) for each in (folder, undisturbed))
    assert one.equals(other)


def test_state_of_other_settings_is_not_taken_up(config, materials, tmp_path):
    def stop(step):
        if step.epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(config, tmp_path / "run", materials, report=stop)
    epochs = []
    fit(changed(config, learning_rate=0.02), tmp_path / "run", materials, report=lambda step: epochs.append(step.epoch))
    assert epochs[0] == 0


def test_the_epoch_of_the_lowest_validation_loss_is_kept(config, materials, tmp_path):
    # A rate this high makes the second epoch worse than the first.
    restless = changed(config, learning_rate=0.03, epochs=2, stop_after=12)
    folder = fit(restless, tmp_path / "restless", materials)
    history = pl.read_csv(folder / HISTORY_FILE)
    table, found = materials.table, pl.read_parquet(folder / predictions_file("val"))
    truth = found.select("image_id").join(table, on="image_id", how="left", maintain_order="left")
    targets = truth.select(materials.findings).to_numpy().astype(float)
    scores = found.drop("image_id", "patient_id").to_numpy().astype(float)
    loss = np.mean(np.maximum(scores, 0) - scores * targets + np.log1p(np.exp(-np.abs(scores))))
    assert loss == pytest.approx(history["val_loss"].min(), rel=1e-4)
    assert history["val_loss"].arg_min() == 0


def test_the_rate_is_halved_and_training_stops_when_the_loss_no_longer_falls(config, materials, tmp_path):
    still = changed(config, learning_rate=1e-12, epochs=30, halve_after=2, stop_after=5)
    folder = fit(still, tmp_path / "still", materials)
    history = pl.read_csv(folder / HISTORY_FILE)
    losses, rates = history["val_loss"].to_list(), history["learning_rate"].to_list()
    expected, rate, bad = [], 1e-12, 0
    best = math.inf
    for loss in losses:
        expected.append(rate)
        bad = 0 if loss < best else bad + 1
        best = min(best, loss)
        if bad == 2:
            rate, bad = rate / 2, 0
    assert rates == pytest.approx(expected, rel=1e-9, abs=0)
    assert len(losses) - 1 - losses.index(min(losses)) == 5
    assert len(losses) < 30
    assert min(rates) < 1e-12


@pytest.mark.parametrize("value", [math.nan, 1e6])
def test_a_lost_fit_names_epoch_and_batch(config, materials, tmp_path, monkeypatch, value):
    calls = []
    forward = Classifier.forward

    def lost(self, film, features):
        calls.append(1)
        scores = forward(self, film, features)
        return scores * torch.tensor(value) + value if self.training and len(calls) == 3 else scores

    monkeypatch.setattr(Classifier, "forward", lost)
    with pytest.raises(TrainingError, match=r"training loss is .* in epoch 0, batch 2 .*lower the learning rate"):
        fit(config, tmp_path / "lost", materials)


def test_a_part_without_images_is_named(config, materials, tmp_path):
    split = materials.splits[0]
    empty = split.__class__(**{**vars(split), "patients": {**split.patients, "val": ()}})
    with pytest.raises(TrainingError, match=r"'resample-1' is too small .* val 0"):
        fit_run(config, tmp_path, table=materials.table, store=materials.store, split=empty, weights=None)


def test_precision_and_memory_order_change_nothing_beyond_noise(undisturbed, config, materials, tmp_path, monkeypatch):
    monkeypatch.setattr("cxrbench.training.compute.processor_flags", lambda: frozenset({"avx512_bf16"}))
    settings = ComputeSettings(precision="bf16", channels_last="off")
    other = fit(config, tmp_path / "bf16", materials, compute=settings)
    said = json.loads((other / ENVIRONMENT_FILE).read_text())["compute"]
    assert (said["precision"], said["channels_last"], said["accumulate"]) == ("bf16", False, 1)
    kept = load_file(other / WEIGHTS_FILE)
    assert {value.dtype for value in kept.values()} == {torch.float32, torch.int64}
    table = materials.table
    truth = pl.read_parquet(other / predictions_file("test")).select("image_id").join(table, on="image_id", how="left")
    present = truth["Effusion"].to_numpy() == 1
    column = materials.findings.index("Effusion")
    aucs = [roc_auc_score(present, logits(folder)[:, column]) for folder in (undisturbed, other)]
    assert not np.array_equal(logits(other), logits(undisturbed))
    assert aucs[0] == pytest.approx(aucs[1], abs=0.03)
