"""Shares and combinations against the plain formulas of Wilson, Newcombe, and Donner and Zou."""

import numpy as np
import pytest
from scipy import stats

from cxrbench.stats.means import clustered_proportion
from cxrbench.stats.shares import Combination, Log, Odds, Ratio, minus, share, two_sided_p


def plain(hits, n, *, first=0, patients=200):
    """A share of independent images; each of another patient, numbered from ``first``."""
    above = (np.arange(n) < hits).astype(float)
    return share(above, np.ones(n), first + np.arange(n), counted=np.ones(n, bool), patients=patients)


def wilson(hits, n, z):
    """Wilson's limits with the variance of n - 1, and Student's t."""
    p, n = hits / n, n - 1
    centre, reach = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return (centre - reach) / (1 + z**2 / n), (centre + reach) / (1 + z**2 / n)


@pytest.mark.parametrize("hits", [1, 7, 19])
def test_a_share_has_wilsons_limits(hits):
    assert plain(hits, 20).limits(0.95) == pytest.approx(wilson(hits, 20, stats.t.ppf(0.975, 19)))


def test_a_share_is_the_clustered_proportion():
    rng = np.random.default_rng(0)
    patients = np.sort(rng.integers(40, size=200))
    hits, among = rng.random(200) < 0.2 + 0.5 * (patients % 2), rng.random(200) < 0.7
    theirs = clustered_proportion(hits, among, patients)
    ours = share((hits & among).astype(float), among.astype(float), patients, counted=among, patients=40)
    assert (ours.estimate, *ours.limits(0.95)) == pytest.approx((theirs.estimate, theirs.lower, theirs.upper))


def test_no_hit_leaves_room_above():
    assert plain(0, 20).limits(0.95)[0] == 0
    assert 0.1 < plain(0, 20).limits(0.95)[1] < 0.25


def test_a_difference_of_independent_shares_is_newcombes():
    one, other = plain(15, 30), plain(6, 40, first=100)
    (l1, u1), (l2, u2) = one.limits(0.95), other.limits(0.95)
    p1, p2 = 0.5, 0.15
    lower = p1 - p2 - np.sqrt((p1 - l1) ** 2 + (u2 - p2) ** 2)
    upper = p1 - p2 + np.sqrt((u1 - p1) ** 2 + (p2 - l2) ** 2)
    assert minus(one, other).limits(0.95) == pytest.approx((lower, upper))


def test_a_measure_does_not_differ_from_itself():
    one = plain(6, 20)
    assert minus(one, one).limits(0.95) == pytest.approx((0, 0), abs=1e-9)


def test_positive_correlation_narrows_a_difference():
    rng = np.random.default_rng(1)
    code = np.arange(100)
    common = rng.random(100)
    one, alike, apart = (
        share((values < 0.4).astype(float), np.ones(100), code, counted=np.ones(100, bool), patients=100)
        for values in (common, common + 0.1 * rng.random(100), rng.random(100))
    )
    widths = [np.ptp(minus(one, other).limits(0.95)) for other in (alike, apart)]
    assert widths[0] < 0.7 * widths[1]


def test_a_large_sample_has_the_interval_of_the_delta_method():
    rng = np.random.default_rng(2)
    n = 40_000
    code = np.arange(n)
    a, b = (
        share((rng.random(n) < p).astype(float), np.ones(n), code, counted=np.ones(n, bool), patients=n)
        for p in (0.3, 0.1)
    )
    found = Combination(a.estimate - 2 * b.estimate, (1.0, -2.0), (a, b))
    reach = 1.96 * np.linalg.norm(found.residuals)
    assert found.limits(0.95) == pytest.approx((found.estimate - reach, found.estimate + reach), abs=reach / 50)
    ratio = Ratio(a, b)
    reach = 1.96 * np.linalg.norm(a.residuals / b.estimate - a.estimate / b.estimate**2 * b.residuals)
    assert ratio.limits(0.95) == pytest.approx((ratio.estimate - reach, ratio.estimate + reach), abs=reach / 10)


def test_a_ratio_has_the_limits_of_donner_and_zou():
    above, below = plain(15, 30), plain(6, 40, first=100)
    (l1, u1), (l2, u2) = above.limits(0.95), below.limits(0.95)
    a, b = above.estimate, below.estimate
    lower = (a * b - np.sqrt((a * b) ** 2 - l1 * u2 * (2 * a - l1) * (2 * b - u2))) / (u2 * (2 * b - u2))
    upper = (a * b + np.sqrt((a * b) ** 2 - u1 * l2 * (2 * a - u1) * (2 * b - l2))) / (l2 * (2 * b - l2))
    assert Ratio(above, below).limits(0.95) == pytest.approx((lower, upper))


def test_a_ratio_over_nothing_is_open_above():
    found = Ratio(plain(15, 30), plain(0, 40, first=100))
    lower, upper = found.limits(0.95)
    assert (found.estimate, upper) == (np.inf, np.inf)
    assert 2 < lower < 10


def test_odds_and_logarithms_carry_the_limits_over():
    of = plain(6, 20)
    lower, upper = of.limits(0.9)
    assert Odds(of).limits(0.9) == pytest.approx((lower / (1 - lower), upper / (1 - upper)))
    assert Log(of).limits(0.9) == pytest.approx((np.log(lower), np.log(upper)))
    np.testing.assert_allclose(Odds(of).residuals, of.residuals / 0.49)
    np.testing.assert_allclose(Log(of).residuals, of.residuals / 0.3)


@pytest.mark.parametrize("value", [0.2, 0.45, 0.9])
def test_the_interval_at_one_minus_p_just_reaches_the_value(value):
    of = plain(6, 20)
    p = two_sided_p(of, value)
    assert of.limits(1 - p)[0 if value < 0.3 else 1] == pytest.approx(value, abs=1e-6)


def test_weights_that_few_patients_carry_cost_degrees_of_freedom():
    weights = np.r_[np.full(3, 0.9), np.full(97, 0.001)]
    found = share(weights, np.ones(100), np.arange(100), counted=np.ones(100, bool), patients=100)
    assert found.df == pytest.approx(weights.sum() ** 2 / (weights @ weights) - 1)
