import numpy as np
import pytest
from scipy import integrate, stats

from cxrbench.stats.comparison import corrected_resampled

DIFFERENCES = [0.010, 0.021, 0.015, 0.032, 0.006]


def test_interval_and_p_value_follow_the_formula():
    result = corrected_resampled(DIFFERENCES, test_to_train=2 / 7)
    std_error = np.std(DIFFERENCES, ddof=1) * np.sqrt(1 / 5 + 2 / 7)
    half = stats.t.ppf(0.975, 4) * std_error
    mean = np.mean(DIFFERENCES)
    assert result.std_error == pytest.approx(std_error)
    assert (result.lower, result.upper) == pytest.approx((mean - half, mean + half))
    assert result.p_value == pytest.approx(2 * stats.t.cdf(-mean / std_error, 4))
    assert result.n == 5


def test_vanishing_test_part_is_the_plain_t_test():
    result = corrected_resampled(DIFFERENCES, test_to_train=1e-15)
    assert result.p_value == pytest.approx(stats.ttest_1samp(DIFFERENCES, 0).pvalue)


def test_interval_excludes_zero_exactly_when_p_is_small():
    result = corrected_resampled(DIFFERENCES, test_to_train=2 / 7)
    at_p = corrected_resampled(DIFFERENCES, test_to_train=2 / 7, confidence=1 - result.p_value)
    assert at_p.lower == pytest.approx(0, abs=1e-12)


def test_nil_probability_is_the_posterior_mass_near_zero():
    result = corrected_resampled(DIFFERENCES, test_to_train=2 / 7, practically_nil=0.02)
    density = stats.t(df=4, loc=result.difference, scale=result.std_error).pdf
    mass, _ = integrate.quad(density, -0.02, 0.02)
    assert result.probability_practically_nil == pytest.approx(mass, abs=1e-8)


def test_equal_differences_leave_no_doubt():
    same = corrected_resampled([0.0, 0.0, 0.0], test_to_train=0.3)
    assert (same.p_value, same.probability_practically_nil) == (1, 1)


@pytest.mark.parametrize("differences", [[0.5, 0.5], [0.1, 0.1, 0.1], [0.1 + 0.2, 0.3, 0.3]])
def test_equal_differences_that_are_not_zero_have_a_reason_and_no_p_value(differences):
    """Three re-samples that happen to agree are no proof; their spread is unknown, not zero."""
    apart = corrected_resampled(differences, test_to_train=0.3)
    assert apart.difference == pytest.approx(differences[0])
    assert np.isnan([apart.p_value, apart.std_error, apart.lower, apart.probability_practically_nil]).all()
    assert apart.reason == f"all {len(differences)} differences are {differences[-1]:g}: no spread"


def test_one_resample_is_too_few():
    with pytest.raises(ValueError, match=r"got shape \(1,\)"):
        corrected_resampled([0.1], test_to_train=0.3)


def test_fixed_test_set_is_refused():
    with pytest.raises(ValueError, match="got 0"):
        corrected_resampled(DIFFERENCES, test_to_train=0)


def test_missing_difference_is_shown():
    with pytest.raises(ValueError, match="nan"):
        corrected_resampled([0.1, float("nan")], test_to_train=0.3)
