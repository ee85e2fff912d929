import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cxrbench.stats.multiplicity import adjust_families, benjamini_hochberg, holm, max_t, max_t_critical

p_lists = st.lists(st.floats(0, 1), min_size=1, max_size=20)


def holm_rejections(p_values, level):
    """The definition: go up the sorted p-values while p(k) <= level / (H - k)."""
    rejected = np.zeros(len(p_values), dtype=bool)
    for k, i in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[i] > level / (len(p_values) - k):
            break
        rejected[i] = True
    return rejected


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])


@given(p_lists)
def test_holm_rejects_what_the_definition_rejects(p_values):
    level = 0.0501234
    np.testing.assert_array_equal(holm(p_values) <= level, holm_rejections(np.array(p_values), level))


@given(p_lists)
def test_benjamini_hochberg_agrees_with_scipy(p_values):
    np.testing.assert_allclose(benjamini_hochberg(p_values), stats.false_discovery_control(p_values), atol=1e-15)


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_comparison_not_made_does_not_count(adjust):
    adjusted = adjust([0.01, np.nan, 0.03])
    np.testing.assert_array_equal(adjusted[[0, 2]], adjust([0.01, 0.03]))
    assert np.isnan(adjusted[1])


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_impossible_p_value_is_shown(adjust):
    with pytest.raises(ValueError, match=r"1\.2"):
        adjust([0.1, 1.2])


def test_max_t_of_independent_comparisons_is_sidak():
    statistics = np.array([1.0, 2.0, 2.5])
    single = 2 * stats.norm.sf(statistics)
    adjusted = max_t(statistics, np.eye(3), df=1e9, seed=0)
    np.testing.assert_allclose(adjusted, 1 - (1 - single) ** 3, atol=0.005)


def test_max_t_of_one_comparison_repeated_is_the_plain_t_test():
    adjusted = max_t([2.2, 2.2], np.full((2, 2), 4.0), df=7, seed=0)
    np.testing.assert_allclose(adjusted, 2 * stats.t.sf(2.2, 7), atol=0.003)


def test_max_t_is_never_stricter_than_bonferroni():
    rng = np.random.default_rng(1)
    root = rng.normal(size=(5, 5))
    statistics = rng.normal(size=5) * 2
    bonferroni = np.minimum(5 * 2 * stats.norm.sf(np.abs(statistics)), 1)
    assert (max_t(statistics, root @ root.T, df=1e9, seed=2) < bonferroni + 0.01).all()


def test_max_t_repeats_with_its_seed():
    arguments = ([1.0, 2.0], [[1.0, 0.5], [0.5, 1.0]])
    np.testing.assert_array_equal(max_t(*arguments, df=9, seed=3), max_t(*arguments, df=9, seed=3))
    assert (max_t(*arguments, df=9, seed=3) != max_t(*arguments, df=9, seed=4)).any()


def test_max_t_needs_a_fitting_covariance():
    with pytest.raises(ValueError, match="for 2 statistics"):
        max_t([1.0, 2.0], np.eye(3), df=9, seed=0)


def test_max_t_needs_positive_variances():
    with pytest.raises(ValueError, match=r"0\.0"):
        max_t([1.0, 2.0], np.diag([1.0, 0.0]), df=9, seed=0)


def test_max_t_leaves_out_what_was_not_compared():
    """NaN once sorted behind every simulated value and came out as the smallest possible p-value."""
    covariance = np.array([[1.0, np.nan, 0.5], [np.nan, np.nan, np.nan], [0.5, np.nan, 1.0]])
    adjusted = max_t([1.0, np.nan, 2.0], covariance, df=9, seed=3)
    np.testing.assert_array_equal(adjusted[[0, 2]], max_t([1.0, 2.0], [[1, 0.5], [0.5, 1]], df=9, seed=3))
    assert np.isnan(adjusted[1])
    assert np.isnan(max_t([np.nan], [[np.nan]], df=9, seed=3)).all()


def test_max_t_needs_the_covariance_of_what_was_compared():
    with pytest.raises(ValueError, match="must be known"):
        max_t([1.0, 2.0], [[1.0, np.nan], [np.nan, 1.0]], df=9, seed=0)


def test_critical_value_is_where_the_adjusted_p_value_meets_the_level():
    covariance = np.full((4, 4), 0.6) + 0.4 * np.eye(4)
    critical = max_t_critical(covariance, df=12, seed=5)
    assert max_t([critical, 0, 0, 0], covariance, df=12, seed=5)[0] == pytest.approx(0.05, abs=1e-4)
    assert stats.t.ppf(0.975, 12) < critical < stats.t.ppf(1 - 0.025 / 4, 12)


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_each_family_is_adjusted_alone(adjust):
    """Means are compared first; that single findings are looked at too must not make their test stricter."""
    p_values, families = np.array([0.01, 0.2, 0.03, np.nan, 0.04]), np.array(["mean", "one", "one", "one", "mean"])
    adjusted = adjust_families(p_values, families, adjust=adjust)
    np.testing.assert_array_equal(adjusted[families == "mean"], adjust(p_values[families == "mean"]))
    np.testing.assert_array_equal(adjusted[families == "one"], adjust(p_values[families == "one"]))


def test_each_comparison_needs_a_family():
    with pytest.raises(ValueError, match=r"\(2,\) for \(3,\)"):
        adjust_families([0.1, 0.2, 0.3], ["a", "b"])
