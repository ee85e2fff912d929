"""What phases, averages and the choice of the epoch do to a fit."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cxrbench.errors import TrainingError
from cxrbench.runs import WEIGHTS_FILE
from cxrbench.training.trainer import train
from cxrbench.training.validation import validate
from small_fit import left_by, make_fit, run_fit, same

ADAM = {"adam": 0.03}


def of_phases(*phases, **recipe):
    return {"phases": [{"optimiser": ADAM} | phase for phase in phases]} | recipe


def copied(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def moved(before, after):
    """First words of the names of the tensors that are others now."""
    return {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}


def test_the_head_first_then_all(tmp_path):
    recipe = of_phases({"epochs": 2, "trained": "head"}, {"epochs": 1})
    fit = make_fit(recipe, tmp_path)
    seen = [copied(fit.classifier)]

    def look(step):
        if step.batch == step.batches:
            seen.append(copied(fit.classifier))

    train(fit, look)
    assert [moved(*pair) for pair in pairwise(seen)] == [{"head"}, {"head"}, {"head", "backbone"}]
    assert [row["phase"] for row in fit.state.history] == [0, 0, 1]


def test_each_phase_has_an_optimiser_that_knows_nothing_of_the_one_before(tmp_path):
    recipe = of_phases({"epochs": 2}, {"epochs": 1, "optimiser": {"sgd": {"rate": 0.5, "momentum": 0.0}}})
    fit, kinds = make_fit(recipe, tmp_path), []
    train(fit, lambda step: kinds.append((type(fit.optimiser).__name__, len(fit.optimiser.state))))
    trained = len(list(fit.classifier.parameters()))
    assert set(kinds[:6]) == {("Adam", trained)}
    assert {name for name, _ in kinds[6:]} == {"SGD"}


def test_a_phase_ends_when_its_epochs_get_no_better_and_the_next_begins(tmp_path):
    still = {"epochs": 9, "optimiser": {"sgd": {"rate": 1e-12}}, "stop_after": 2}
    fit = run_fit(of_phases(still, {"epochs": 2}), tmp_path)
    phases = [row["phase"] for row in fit.state.history]
    losses = [row["val_loss"] for row in fit.state.history]
    first = losses[: phases.count(0)]
    assert len(first) - 1 - int(np.argmin(first)) == 2
    assert phases.count(1) == 2


def test_rates_follow_the_schedule_step_by_step(tmp_path):
    recipe = of_phases({"epochs": 2, "schedule": {"module": {"function": "small_fit:staircase"}}}, {"epochs": 1})
    fit, rates = make_fit(recipe, tmp_path), []
    train(fit, lambda step: rates.append(fit.learning_rate))
    assert rates == pytest.approx([0.03] * 3 + [0.015] * 3 + [0.03] * 3)
    assert [row["learning_rate"] for row in fit.state.history] == pytest.approx([0.03, 0.015, 0.03])


@pytest.mark.parametrize(("criterion", "column", "sign"), [("loss", "val_loss", -1), ("mean AUC", "val_auc", 1)])
def test_the_best_epoch_of_all_phases_is_kept(criterion, column, sign, tmp_path):
    wild = {"epochs": 2, "optimiser": {"adam": 2.0}}
    recipe = of_phases({"epochs": 3}, wild, choose_epoch_by=f"validation {criterion}")
    fit = make_fit(recipe, tmp_path)
    train(fit, lambda step: None)
    values = [sign * row[column] for row in fit.state.history]
    kept = [row["epoch"] for row in fit.state.rows() if row["is_kept"]]
    assert kept == [int(np.argmax(values))]
    assert criterion != "loss" or kept[0] < 3  # the wild phase made it worse
    fit.classifier.load_state_dict(load_file(tmp_path / WEIGHTS_FILE))
    verdict = validate(fit)
    assert {"val_loss": verdict.loss, "val_auc": verdict.auc}[column] == sign * max(values)


def test_without_both_classes_there_is_no_auc_to_choose_by(tmp_path):
    fit = make_fit(of_phases({"epochs": 1}, choose_epoch_by="validation mean AUC"), tmp_path)
    fit.parts.val.targets[:] = 0
    with pytest.raises(TrainingError, match="no finding is both present and absent in the validation part; choose by"):
        train(fit, lambda step: None)
    other = make_fit(of_phases({"epochs": 1}), tmp_path)
    other.parts.val.targets[:] = 0
    train(other, lambda step: None)
    assert other.state.history[0]["val_auc"] is None


def test_the_averaged_network_is_judged_and_kept(tmp_path):
    plain, averaged = of_phases({"epochs": 2}), of_phases({"epochs": 2}, average_weights={"ema": 0.9})
    one, other = run_fit(plain, tmp_path / "one"), run_fit(averaged, tmp_path / "other")
    assert same(copied(one.classifier), copied(other.classifier))  # an average changes nothing of the training
    assert one.state.history[0]["val_loss"] != other.state.history[0]["val_loss"]
    kept = load_file(tmp_path / "other" / WEIGHTS_FILE)
    best = other.state.best_epoch == 1
    assert best
    assert same(kept, copied(other.average.network))
    assert not same(kept, copied(other.classifier))


def test_the_gradient_is_shortened(tmp_path):
    rate, length = 1.0, 1e-2
    recipe = of_phases({"epochs": 1, "optimiser": {"sgd": {"rate": rate, "momentum": 0}}}, clip_norm=length)
    fit = make_fit(recipe, tmp_path)
    before = [value.detach().clone() for value in fit.classifier.parameters()]

    def stop(step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(fit, stop)
    way = torch.cat([(a - b).flatten() for a, b in zip(fit.classifier.parameters(), before, strict=True)])
    assert way.norm().item() == pytest.approx(rate * length, rel=1e-2)


@pytest.mark.parametrize("source", ["batch", "epoch"])
def test_dropout_is_drawn_from_batch_or_epoch(source, tmp_path):
    recipe = of_phases({"epochs": 1}, dropout_from=source)
    run_fit(recipe, tmp_path / "one")
    run_fit(recipe, tmp_path / "other", report=lambda step: torch.rand(1))  # as if another batch had drawn more
    assert same(left_by(tmp_path / "one"), left_by(tmp_path / "other")) == (source == "batch")
