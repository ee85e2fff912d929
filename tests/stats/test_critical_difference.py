import numpy as np
import pytest
from scipy import stats

from cxrbench.stats.critical_difference import compare_ranks, studentized_range


@pytest.mark.parametrize("groups", [2, 5, 16])
def test_quantile_agrees_with_scipy(groups):
    assert studentized_range(0.95, groups) == pytest.approx(stats.studentized_range.ppf(0.95, groups, np.inf), abs=1e-6)


def test_example_of_demsar():
    """Four classifiers on 14 data sets: critical difference 1.25 (page 16)."""
    scores = np.random.default_rng(0).random((14, 4))
    assert compare_ranks(scores).critical_difference == pytest.approx(1.25, abs=0.005)


def test_best_approach_has_the_lowest_rank_and_ties_share():
    result = compare_ranks([[0.9, 0.8, 0.8], [0.9, 0.7, 0.6]])
    assert result.mean_ranks == (1.0, 2.25, 2.75)


def test_incomplete_rows_are_left_out():
    result = compare_ranks([[0.9, 0.8], [np.nan, 0.8], [0.7, 0.9]])
    assert (result.n_blocks, result.mean_ranks) == (2, (1.5, 1.5))


def test_no_complete_row_is_refused():
    with pytest.raises(ValueError, match=r"got \(1, 2\)"):
        compare_ranks([[np.nan, 1.0]])
