"""Margins against the t-tests that define them, and against the interval that must decide."""

import numpy as np
import pytest
from scipy import stats

from cxrbench.stats.margins import Studentised, equivalence, non_inferiority
from cxrbench.stats.shares import minus, share


def shares(hits):
    n, code = 60, np.arange(60)
    both = [share((code < h).astype(float), np.ones(n), code, counted=np.ones(n, bool), patients=n) for h in hits]
    return minus(*both)


@pytest.mark.parametrize("estimate", [-0.015, 0.0, 0.02])
def test_non_inferiority_is_a_one_sided_t_test(estimate):
    found = non_inferiority(Studentised(estimate, 0.008, 25), margin=0.02)
    assert found.p_value == pytest.approx(stats.t.sf((estimate + 0.02) / 0.008, 25), abs=1e-9)
    assert (found.confidence, found.is_shown) == (0.95, found.p_value < 0.025)
    assert found.is_shown == (found.lower > -0.02)


def test_an_error_must_not_be_larger():
    found = non_inferiority(Studentised(0.001, 0.004, 25), margin=0.01, is_higher_better=False)
    assert found.p_value == pytest.approx(stats.t.cdf((0.001 - 0.01) / 0.004, 25), abs=1e-9)
    assert found.is_shown == (found.upper < 0.01)


@pytest.mark.parametrize("estimate", [-0.012, 0.0, 0.018])
def test_equivalence_is_two_one_sided_tests(estimate):
    found = equivalence(Studentised(estimate, 0.006, 40), margin=0.02)
    worse, better = stats.t.sf((estimate + 0.02) / 0.006, 40), stats.t.cdf((estimate - 0.02) / 0.006, 40)
    assert found.p_value == pytest.approx(max(worse, better), abs=1e-9)
    assert (found.confidence, found.is_shown) == (0.9, found.p_value < 0.05)


@pytest.mark.parametrize("hits", [(30, 30), (28, 31), (20, 31)])
@pytest.mark.parametrize("test", [non_inferiority, equivalence])
def test_the_interval_decides_for_shares_too(hits, test):
    found = test(shares(hits), margin=0.12)
    assert found.is_shown == (found.p_value < found.alpha)


def test_the_level_at_the_margin_is_kept():
    """Paired scores on 40 independent patients whose true difference is just the margin."""
    rng = np.random.default_rng(0)
    drawn = rng.normal(-0.1, 0.3, (4000, 40))
    means, errors = drawn.mean(axis=1), drawn.std(axis=1, ddof=1) / np.sqrt(40)
    shown = [non_inferiority(Studentised(m, s, 39), margin=0.1).is_shown for m, s in zip(means, errors, strict=True)]
    assert np.mean(shown) == pytest.approx(0.025, abs=0.0075)


@pytest.mark.parametrize("margin", [0, -0.1, 1.0, np.nan])
def test_impossible_margins_are_shown(margin):
    with pytest.raises(ValueError, match=rf"range of the measure; got {margin:g}"):
        non_inferiority(Studentised(0.0, 0.01, 20), margin=margin)


def test_a_difference_without_interval_has_a_reason():
    found = equivalence(Studentised(np.nan, np.nan, np.nan), margin=0.1)
    assert (found.is_shown, found.reason) == (False, "the difference has no interval")
