"""Samplers: how often images of each finding come, and that an epoch depends on seed and epoch alone."""

import numpy as np
import pytest

from cxrbench.config import SAMPLERS
from cxrbench.data.delivery import draw_epoch
from cxrbench.errors import ConfigError
from cxrbench.training.samplers import image_chances

NAN = np.nan
# 12 images: six without a finding, four with the first alone, one with both, one with the second alone.
TARGETS = np.array([[0, 0]] * 5 + [[0, NAN]] + [[1, 0]] * 4 + [[1, 1]] + [[0, 1]], np.float32)


def chances(spelling, targets=TARGETS):
    found = image_chances(SAMPLERS.parse(spelling), targets)
    return None if found is None else found / found.sum()


def test_shuffled_is_every_image_once_in_the_order_of_earlier_versions():
    assert chances("shuffled") is None
    found = draw_epoch(np.random.default_rng([3, 1]), 12)
    assert np.array_equal(found, np.random.default_rng([3, 1]).permutation(12))


def test_balanced_draws_a_finding_then_an_image():
    one, other, none = 1 / 5, 1 / 2, 1 / 6
    expected = np.array([none] * 6 + [one] * 4 + [one + other] + [other]) / 3
    assert chances("balanced") == pytest.approx(expected)


def test_double_balanced_draws_a_finding_then_a_combination_then_an_image():
    one = other = 1 / 2  # each finding is in two combinations
    expected = np.array([1 / 6] * 6 + [one / 4] * 4 + [one + other] + [other]) / 3
    assert chances("double-balanced") == pytest.approx(expected)


def test_repeat_factors_are_those_of_the_rarest_finding():
    first, second = np.sqrt(0.5 / (5 / 12)), np.sqrt(0.5 / (2 / 11))
    expected = np.array([1] * 6 + [first] * 4 + [second] * 2)
    assert chances({"repeat-factor": 0.5}) == pytest.approx(expected / expected.sum())
    capped = np.array([1] * 6 + [first] * 4 + [1.2] * 2)
    assert chances({"repeat-factor": {"below": 0.5, "most": 1.2}}) == pytest.approx(capped / capped.sum())


@pytest.mark.parametrize("name", ["balanced", "double-balanced"])
def test_strength_leads_from_equal_chances_to_full_balance(name):
    weak, strong = chances({name: 0.01}), chances({name: 1.0})
    assert np.ptp(weak) < 0.02
    assert chances({name: 0.5}) == pytest.approx(np.sqrt(strong) / np.sqrt(strong).sum())


def test_findings_that_never_occur_are_left_out():
    assert chances("balanced", np.zeros((4, 2), np.float32)) == pytest.approx([0.25] * 4)


def test_an_epoch_holds_as_many_images_as_the_part_each_by_its_chance():
    share = chances("double-balanced")
    counts = np.array([np.bincount(draw_epoch(np.random.default_rng([0, epoch]), 12, share), minlength=12)
                       for epoch in range(400)])  # fmt: skip
    assert (counts.sum(axis=1) == 12).all()
    assert (np.abs(counts - 12 * share) < 1).all()
    assert counts.mean(axis=0) == pytest.approx(12 * share, abs=0.12)


def test_an_epoch_depends_on_seed_and_epoch_alone():
    share = chances("balanced")
    draws = [draw_epoch(np.random.default_rng([0, epoch]), 12, share).tolist() for epoch in (5, 5, 6)]
    assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize("function", ["numpy:zeros_like", "small_fit:rare_first"])
def test_chances_of_ones_own_are_checked(function, monkeypatch):
    monkeypatch.setattr("small_fit.rare_first", lambda *, targets: np.full(len(targets), -1.0))
    monkeypatch.setattr(np, "zeros_like", lambda *, targets: np.zeros(len(targets)))
    with pytest.raises(ConfigError, match=f"sampler module {function}: gave chances of shape .* for each of 12 images"):
        chances({"module": function})
