"""Schedules: their rates against torch's own schedulers, step by step."""

import pytest
import torch
from torch.optim import lr_scheduler

from cxrbench.config import SCHEDULES
from cxrbench.errors import ConfigError
from cxrbench.training.schedules import build_schedule

EPOCHS, BATCHES, RATE = 5, 4, 0.1


def shares(spelling):
    schedule = build_schedule(SCHEDULES.parse(spelling), epochs=EPOCHS, batches=BATCHES)
    return [schedule.share(step) for step in range(EPOCHS * BATCHES)]


def theirs(make):
    """Rates of torch's scheduler as shares of the highest."""
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE)
    scheduler = make(optimiser)
    found = []
    for _ in range(EPOCHS * BATCHES):
        found.append(optimiser.param_groups[0]["lr"] / RATE)
        optimiser.step()
        scheduler.step()
    return found


def warmed(optimiser, then):
    rise = lr_scheduler.LinearLR(optimiser, start_factor=0.25, total_iters=6)
    return lr_scheduler.SequentialLR(optimiser, [rise, then], milestones=[6])


@pytest.mark.filterwarnings("ignore:.*epoch parameter.*:UserWarning")  # torch's own, of SequentialLR
@pytest.mark.parametrize(
    ("ours", "make"),
    [
        ("constant", lambda optimiser: lr_scheduler.ConstantLR(optimiser, factor=1)),
        (
            {"constant": {"warm_up_epochs": 1.5, "start": 0.25}},
            lambda optimiser: lr_scheduler.LinearLR(optimiser, start_factor=0.25, total_iters=6),
        ),
        ("cosine", lambda optimiser: lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS * BATCHES)),
        (
            {"cosine": {"end": 0.2}},
            lambda optimiser: lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS * BATCHES, eta_min=0.2 * RATE),
        ),
        (
            {"cosine": {"warm_up_epochs": 1.5, "start": 0.25}},
            lambda optimiser: warmed(optimiser, lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS * BATCHES - 6)),
        ),
        (
            "one-cycle",
            lambda optimiser: lr_scheduler.OneCycleLR(
                optimiser, RATE, total_steps=EPOCHS * BATCHES, cycle_momentum=False
            ),
        ),
        (
            {"one-cycle": {"rise": 0.5, "start": 0.1, "end": 0.01}},
            lambda optimiser: lr_scheduler.OneCycleLR(
                optimiser,
                RATE,
                total_steps=EPOCHS * BATCHES,
                pct_start=0.5,
                div_factor=10,
                final_div_factor=10,
                cycle_momentum=False,
            ),
        ),
    ],
    ids=["constant", "warm-up", "cosine", "cosine-end", "cosine-warm-up", "one-cycle", "one-cycle-set"],
)
def test_rates_are_torchs(ours, make):
    assert shares(ours) == pytest.approx(theirs(make), rel=1e-9, abs=1e-12)


LOSSES = [5.0, 4.0, 4.0, 4.5, 3.0, 3.5, 3.4, 3.3, 3.2, 2.0]


@pytest.mark.parametrize(("after", "factor"), [(1, 0.5), (2, 0.5), (3, 0.1)])
def test_plateau_is_torchs(after, factor):
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE)
    theirs = lr_scheduler.ReduceLROnPlateau(optimiser, factor=factor, patience=after - 1, threshold=0.0, eps=0.0)
    spelling = {"plateau": {"after": after, "factor": factor}}
    ours = build_schedule(SCHEDULES.parse(spelling), epochs=EPOCHS, batches=BATCHES)
    for number, loss in enumerate(LOSSES):
        theirs.step(loss)
        ours.end_epoch(is_better=loss < min(LOSSES[:number], default=float("inf")))
        assert RATE * ours.share(0) == pytest.approx(optimiser.param_groups[0]["lr"], rel=1e-12)
    assert ours.share(0) < 1


@pytest.mark.parametrize("batches", [1, 2])
@pytest.mark.parametrize("spelling", ["constant", "cosine", "one-cycle", {"one-cycle": {"rise": 0.5}}])
def test_an_epoch_of_few_batches_has_rates(spelling, batches):
    schedule = build_schedule(SCHEDULES.parse(spelling), epochs=1, batches=batches)
    assert all(0 < schedule.share(step) <= 1 for step in range(batches))


def test_a_schedule_of_ones_own_is_a_function_of_the_step():
    spelling = {"module": {"function": "small_fit:staircase", "options": {"step": 0.1}}}
    assert shares(spelling)[::BATCHES] == pytest.approx([1, 0.1, 0.01, 0.001, 0.0001])


def test_a_schedule_of_ones_own_that_is_none_is_named():
    with pytest.raises(
        ConfigError, match="schedule module builtins:dict: returned an object of type dict, expected a function"
    ):
        shares({"module": "builtins:dict"})
