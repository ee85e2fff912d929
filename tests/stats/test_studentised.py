import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrbench.stats import student
from cxrbench.stats.studentised import Squares


def squares(*values):
    return Squares.of([(1.0, np.array(values), np.ones(len(values)))])


@given(st.integers(2, 60), st.floats(0.1, 8))
def test_equal_squares_are_students_t(n, t):
    assert squares(*[3.0] * n).two_sided_p(t) == pytest.approx(float(student.two_sided_p(t, n)), rel=1e-6, abs=1e-12)


@given(st.integers(2, 60), st.sampled_from([0.8, 0.95, 0.99]))
def test_equal_squares_have_their_number_as_degrees_of_freedom(n, confidence):
    assert squares(*[1.0] * n).df(confidence) == pytest.approx(n, rel=1e-4)


@pytest.mark.parametrize("values", [(5, 1, 1, 1, 1, 1), (9, 4, 1, 1), (1, 0.5, 0.25, 0.125, 0.06)])
def test_unequal_squares_agree_with_simulation(values):
    rng, n = np.random.default_rng(0), 400_000
    weights = np.array(values) / sum(values)
    t = rng.standard_normal(n) / np.sqrt(rng.standard_normal((n, len(values))) ** 2 @ weights)
    for limit in (1.5, 2.5, 4.0):
        assert squares(*values).two_sided_p(limit) == pytest.approx((np.abs(t) > limit).mean(), abs=0.003)


def test_satterthwaite_is_more_cautious_than_the_tail():
    values = np.array([9.0, 4, 1, 1, 1, 1, 1, 1])
    satterthwaite = values.sum() ** 2 / (values**2).sum()
    assert squares(*values).df(0.95) > satterthwaite + 0.5


def test_parts_count_by_their_share_of_the_variance():
    parts = Squares.of([(3.0, np.ones(1), np.array([10.0])), (1.0, np.array([2.0, 1.0]), np.ones(2))])
    np.testing.assert_allclose(parts.values, [0.075, 1 / 6, 1 / 12])
    assert parts.values @ parts.number == pytest.approx(1)
