"""Averages of the weights against timm's, and against a sum written out."""

import copy

import pytest
import torch
from timm.utils import ModelEmaV3
from torch import nn

from cxrbench.config import AVERAGES


def network():
    return nn.Sequential(nn.Conv2d(1, 3, 2), nn.BatchNorm2d(3))


@torch.no_grad()
def step(trained):
    for value in trained.state_dict().values():
        value.add_(torch.randn(value.shape).to(value.dtype) if value.is_floating_point() else 1)


@pytest.mark.parametrize("has_warm_up", [True, False])
def test_ema_is_timms_norm_statistics_included(has_warm_up):
    trained = network()
    theirs = ModelEmaV3(copy.deepcopy(trained), decay=0.8, use_warmup=has_warm_up)
    ours = AVERAGES.build(AVERAGES.parse({"ema": {"decay": 0.8, "warm_up": has_warm_up}}), network=trained)
    for number in range(1, 15):
        step(trained)
        ours.update()
        theirs.update(trained, step=number)
    expected = theirs.module.state_dict()
    for name, value in ours.network.state_dict().items():
        torch.testing.assert_close(value, expected[name])
    assert not torch.equal(ours.network[0].weight, trained[0].weight)
    assert ours.network[1].num_batches_tracked == 14


def test_ema_by_hand():
    trained = nn.Linear(1, 1, bias=False)
    ours = AVERAGES.build(AVERAGES.parse({"ema": {"decay": 0.75, "warm_up": False}}), network=trained)
    for value in (8.0, 4.0, 0.0):
        nn.init.constant_(trained.weight, value)
        ours.update()
    assert ours.network.weight.item() == 0.75 * (0.75 * 8 + 0.25 * 4)


def test_the_average_is_not_trained():
    trained = network()
    ours = AVERAGES.build(AVERAGES.parse("ema"), network=trained)
    assert not any(value.requires_grad for value in ours.network.parameters())
    assert all(value.requires_grad for value in trained.parameters())
    assert not ours.network.training
    assert AVERAGES.build(AVERAGES.parse("none"), network=trained) is None
