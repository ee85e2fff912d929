"""Losses against other implementations or numbers worked out by hand; masks, mixed targets, states and extremes."""

import math

import numpy as np
import pytest
import torch
from timm.loss import AsymmetricLossMultiLabel
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from cxrbench.config import LOSSES, takes_soft_targets
from cxrbench.errors import ConfigError, TrainingError
from cxrbench.training.losses import build_loss, masked_loss

LOGITS = torch.tensor([[-3.0, 0.5, 2.0], [0.1, -1.5, 4.0]])
TARGETS = torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
TRAINING = np.array([[1, 0, 1], [0, 0, 1], [0, 1, 1], [0, 0, np.nan], [0, np.nan, 0]], np.float32)
PRESENT, ABSENT = torch.tensor([1.0, 1.0, 3.0]), torch.tensor([4.0, 3.0, 1.0])

OURS = [
    "bce",
    "weighted",
    {"weighted": {"power": 0.5, "keep_total": True}},
    "focal",
    {"focal": {"gamma": 0.5, "alpha": 0.25}},
    "asymmetric",
    {"asymmetric": {"clip": 0.0, "negative_gamma": 0.5}},
    "label-smoothing",
    "logit-adjustment",
]


def loss_of(spelling):
    return build_loss(LOSSES.parse(spelling), TRAINING)


def per_label(spelling, logits=LOGITS, targets=TARGETS):
    return loss_of(spelling).each(logits, targets)


def by_hand(logit, weight_if_present, weight_if_absent, target):
    probability = 1 / (1 + math.exp(-logit))
    return -math.log(probability) * weight_if_present if target else -math.log(1 - probability) * weight_if_absent


def test_cross_entropy_counts_stated_labels_alone():
    logits, targets = torch.tensor([[2.0, -1.0], [0.5, 3.0]]), torch.tensor([[1.0, math.nan], [0.0, 1.0]])
    expected = [by_hand(2, 1, 1, 1), by_hand(0.5, 1, 1, 0), by_hand(3, 1, 1, 1)]
    assert masked_loss(logits, targets).item() == pytest.approx(sum(expected) / 3)


@pytest.mark.parametrize("spelling", OURS, ids=str)
def test_a_label_that_is_not_stated_changes_neither_loss_nor_gradient(spelling):
    loss, logits = loss_of(spelling), LOGITS.clone().requires_grad_()
    targets = TARGETS.clone()
    targets[0, 2] = math.nan
    found = loss(logits, targets)
    found.backward()
    each = per_label(spelling)
    assert found.item() == pytest.approx((each.sum() - each[0, 2]).item() / 5, rel=1e-5)
    assert logits.grad[0, 2] == 0
    assert loss(LOGITS, torch.full_like(TARGETS, math.nan)).item() == 0


@pytest.mark.parametrize("spelling", OURS, ids=str)
def test_the_loss_of_a_mixed_target_is_the_mixture_of_the_losses(spelling):
    part = LOSSES.parse(spelling)
    assert takes_soft_targets(part.settings)
    mixed = per_label(spelling, targets=torch.full_like(LOGITS, 0.3))
    pure = [per_label(spelling, targets=torch.full_like(LOGITS, target)) for target in (1.0, 0.0)]
    torch.testing.assert_close(mixed, 0.3 * pure[0] + 0.7 * pure[1])


@pytest.mark.parametrize("spelling", OURS, ids=str)
def test_extreme_logits_have_finite_losses_and_gradients(spelling):
    logits = torch.tensor([[-200.0, 0.0, 200.0], [-30.0, 15.0, 30.0]], requires_grad=True)
    for target in (0.0, 1.0):
        loss = loss_of(spelling)(logits, torch.full_like(LOGITS, target))
        (gradient,) = torch.autograd.grad(loss, logits)
        assert loss.isfinite()
        assert gradient.isfinite().all()


def test_weighted_is_torchs_with_a_positive_weight():
    expected = cross_entropy(LOGITS, TARGETS, pos_weight=ABSENT / PRESENT, reduction="none")
    torch.testing.assert_close(per_label("weighted"), expected)
    capped = cross_entropy(LOGITS, TARGETS, pos_weight=torch.tensor([2.0, 2.0, 1 / 3]), reduction="none")
    torch.testing.assert_close(per_label({"weighted": {"most": 2}}), capped)


def test_weights_that_keep_the_total_have_mean_one_over_the_training_part():
    found = loss_of({"weighted": {"keep_total": True}}).each
    torch.testing.assert_close(found.positive, (PRESENT + ABSENT) / (2 * PRESENT))
    torch.testing.assert_close(found.negative, (PRESENT + ABSENT) / (2 * ABSENT))


@pytest.mark.parametrize(("gamma", "alpha"), [(2.0, None), (2.0, 0.25), (0.5, 0.7), (0.0, None)])
def test_focal_is_torchvisions(gamma, alpha):
    ops = pytest.importorskip("torchvision.ops")
    theirs = ops.sigmoid_focal_loss(LOGITS, TARGETS, alpha=-1 if alpha is None else alpha, gamma=gamma)
    torch.testing.assert_close(per_label({"focal": {"gamma": gamma, "alpha": alpha}}), theirs)


def test_focal_by_hand():
    """A label counts by the square of the wrong answer's probability."""
    p = 1 / (1 + math.exp(3))
    assert per_label("focal")[0, 0].item() == pytest.approx(p**2 * -math.log(1 - p), rel=1e-5)


@pytest.mark.parametrize(("negative", "positive", "clip"), [(4, 1, 0.05), (4, 0, 0.2), (2, 2, 0.0), (0, 0, 0.05)])
def test_asymmetric_is_timms(negative, positive, clip):
    theirs = AsymmetricLossMultiLabel(gamma_neg=negative, gamma_pos=positive, clip=clip)
    ours = {"asymmetric": {"negative_gamma": negative, "positive_gamma": positive, "clip": clip}}
    logits, same = LOGITS.clone().requires_grad_(), LOGITS.clone().requires_grad_()
    expected, found = theirs(logits, TARGETS), per_label(ours, same).sum() / len(LOGITS)
    torch.testing.assert_close(found, expected)
    expected.backward()
    found.backward()
    torch.testing.assert_close(same.grad, logits.grad)


def test_smoothed_targets_are_torchs():
    softened = torch.where(TARGETS == 1, 0.95, 0.05)
    torch.testing.assert_close(per_label("label-smoothing"), cross_entropy(LOGITS, softened, reduction="none"))


def test_logit_adjustment_adds_the_prior_log_odds_of_the_training_part():
    odds = torch.tensor([1.5 / 4.5, 1.5 / 3.5, 3.5 / 1.5])
    expected = cross_entropy(LOGITS + 2 * odds.log(), TARGETS, reduction="none")
    torch.testing.assert_close(per_label({"logit-adjustment": 2}), expected)


@pytest.mark.parametrize("spelling", ["weighted", "logit-adjustment"])
def test_a_finding_that_is_never_present_has_a_finite_loss(spelling):
    loss = build_loss(LOSSES.parse(spelling), np.zeros((5, 3), np.float32))
    assert loss(LOGITS, TARGETS).isfinite()


def test_a_loss_of_ones_own_gets_the_counts_and_its_state_is_kept():
    loss = build_loss(LOSSES.parse({"module": {"function": "small_fit:Counting", "options": {"by": 1}}}), TRAINING)
    first, second = loss(LOGITS, TARGETS), loss(LOGITS, TARGETS)
    assert second > first
    assert loss.state_dict()["each.seen"] == 2


def summed(*, present, absent):
    return lambda logits, targets: (logits * targets).sum(dim=1)


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        ("test_losses:summed", TrainingError, r"loss module .*:summed gives shape \(2,\), expected one .* \(2, 3\)"),
        ("math:floor", ConfigError, r"loss module math:floor: failed \(TypeError"),
        ("math:pi", ConfigError, r"loss module math:pi: failed"),
        ("nowhere:loss", ConfigError, r"loss module nowhere:loss: nowhere cannot be imported"),
        ("builtins:dict", ConfigError, r"loss module builtins:dict: its builder returned an object of type dict"),
    ],
)
def test_a_loss_of_ones_own_that_is_none_is_named(function, error, message, monkeypatch):
    import sys  # noqa: PLC0415

    monkeypatch.setitem(sys.modules, "test_losses", sys.modules[__name__])
    with pytest.raises(error, match=message):
        build_loss(LOSSES.parse({"module": function}), TRAINING)(LOGITS, TARGETS)


def test_a_loss_of_ones_own_takes_soft_targets_only_if_it_says_so():
    says = [LOSSES.parse({"module": {"function": "a:b", "soft_targets": soft}}).settings for soft in (False, True)]
    assert [takes_soft_targets(each) for each in says] == [False, True]
