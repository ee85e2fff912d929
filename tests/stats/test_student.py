import pytest
from scipy import stats

from cxrbench.stats import student


@pytest.mark.parametrize("df", [1, 3.7, 4, 1e6])
def test_agrees_with_scipy_stats(df):
    assert student.cumulative(-1.3, df) == pytest.approx(stats.t.cdf(-1.3, df), rel=1e-9)
    assert student.two_sided_p(2.2, df) == pytest.approx(2 * stats.t.sf(2.2, df), rel=1e-9)
    assert student.half_width(0.95, df) == pytest.approx(stats.t.ppf(0.975, df), rel=1e-9)


def test_direction_does_not_matter():
    assert student.two_sided_p(-2.0, 5) == student.two_sided_p(2.0, 5)
