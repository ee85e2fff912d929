"""Planned power against SciPy's noncentral t, against simulation, and plans against their own power."""

import numpy as np
import pytest
from scipy import stats

from cxrbench.stats.planning import (
    Precision,
    detectable_difference,
    patients_for_margin,
    patients_for_width,
    power_of_margin,
    power_of_test,
)


@pytest.mark.parametrize("df", [6, 20, 300])
def test_power_is_that_of_the_noncentral_t(df):
    critical, shift = stats.t.ppf(0.975, df), 0.03 / 0.012
    expected = stats.nct.sf(critical, df, shift) + stats.nct.cdf(-critical, df, shift)
    assert power_of_test(0.03, Precision(0.012, df)) == pytest.approx(expected, abs=1e-8)


def test_without_a_difference_the_power_is_the_level():
    assert power_of_test(0.0, Precision(0.012, 9), level=0.1) == pytest.approx(0.1)


@pytest.mark.parametrize("df", [5, 12, 1e6])
def test_a_detectable_difference_is_detected(df):
    """A shifted central t promised 80 % and gave less with few degrees of freedom."""
    precision = Precision(0.01, df)
    difference = detectable_difference(precision)
    rng = np.random.default_rng(0)
    spread = np.sqrt(rng.chisquare(df, 200_000) / df) if df < 1e5 else 1.0
    t = (difference / 0.01 + rng.standard_normal(200_000)) / spread
    assert (np.abs(t) > stats.t.ppf(0.975, df)).mean() == pytest.approx(0.8, abs=0.005)


def test_a_standard_error_that_is_too_small_is_allowed_for():
    """The estimate varies more, and the standard error itself more, than the test supposes."""
    precision = Precision(0.010, 12, true_error=0.012, spread_df=6)
    rng = np.random.default_rng(1)
    estimates = 0.04 + 0.012 * rng.standard_normal(400_000)
    errors = 0.010 * np.sqrt(rng.chisquare(6, 400_000) / 6)
    share = (np.abs(estimates / errors) > stats.t.ppf(0.975, 12)).mean()
    assert power_of_test(0.04, precision) == pytest.approx(share, abs=0.003)


@pytest.mark.parametrize(
    ("is_equivalence", "alpha"), [(False, 0.025), (True, 0.05)], ids=["non-inferior", "equivalent"]
)
def test_power_against_a_margin_is_that_of_simulated_intervals(is_equivalence, alpha):
    rng = np.random.default_rng(2)
    estimates = 0.005 + 0.01 * rng.standard_normal(200_000)
    half = stats.t.ppf(1 - alpha, 30) * 0.01 * np.sqrt(rng.chisquare(30, 200_000) / 30)
    shown = estimates - half > -0.03
    if is_equivalence:
        shown &= estimates + half < 0.03
    found = power_of_margin(0.005, Precision(0.01, 30), margin=0.03, alpha=alpha, is_equivalence=is_equivalence)
    assert found == pytest.approx(shown.mean(), abs=0.004)


@pytest.mark.parametrize("is_equivalence", [False, True])
def test_the_planned_number_of_patients_is_the_least_that_does(is_equivalence):
    pilot = Precision(0.02, 100)
    plan = {"margin": 0.03, "alpha": 0.025, "is_equivalence": is_equivalence}
    n = patients_for_margin(pilot, 500, power=0.9, **plan)
    powers = [power_of_margin(0.0, pilot.of_patients(k / 500), **plan) for k in (n - 1, n)]
    assert powers[0] < 0.9 <= powers[1]


def test_many_patients_are_the_formula_of_the_normal():
    n = patients_for_margin(Precision(0.02, 1e7), 500, margin=0.01, power=0.9)
    assert n == pytest.approx(500 * (0.02 * (stats.norm.ppf(0.975) + stats.norm.ppf(0.9)) / 0.01) ** 2, rel=1e-3)


def test_patients_for_a_width_give_that_width():
    pilot = Precision(0.02, 100)
    n = patients_for_width(pilot, 500, half_width=0.015)
    widths = [stats.t.ppf(0.975, 100 * k / 500) * 0.02 / np.sqrt(k / 500) for k in (n - 1, n)]
    assert widths[1] <= 0.015 < widths[0]


def test_plans_that_cannot_be_met_are_refused():
    with pytest.raises(ValueError, match=r"-0\.03 is not within the margin of 0\.02"):
        patients_for_margin(Precision(0.02, 100), 500, margin=0.02, difference=-0.03)
    with pytest.raises(ValueError, match="must be positive; got 0"):
        patients_for_width(Precision(0.02, 100), 500, half_width=0)


@pytest.mark.parametrize("df", [1, 2, 4, 50, 400])
@pytest.mark.parametrize("std_error", [1e-4, 0.02, 0.3])
def test_every_precision_has_a_detectable_difference(df, std_error):
    """SciPy's noncentral t is NaN far out in its tails."""
    found = detectable_difference(Precision(std_error, df))
    assert power_of_test(found, Precision(std_error, df)) == pytest.approx(0.8, abs=1e-4)
    assert power_of_test(1e3 * found, Precision(std_error, df)) == pytest.approx(1)
