import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import rankdata

from cxrbench.stats.ensembles import mean_probability, mean_rank


def test_mean_probability():
    logits = np.random.default_rng(0).normal(size=(3, 20, 2))
    np.testing.assert_allclose(mean_probability(logits), (expit(logits[0]) + expit(logits[1]) + expit(logits[2])) / 3)


def test_mean_rank_agrees_with_scipy():
    scores = np.random.default_rng(1).normal(size=(2, 30, 2)).round(1)
    expected = (rankdata(scores, axis=1).mean(axis=0) - 0.5) / 30
    np.testing.assert_allclose(mean_rank(scores), expected)


def test_rank_ignores_the_scale_of_a_member():
    scores = np.random.default_rng(2).normal(size=(2, 30, 1))
    np.testing.assert_array_equal(mean_rank(scores * [[[1]], [[1000]]]), mean_rank(scores))


@pytest.mark.parametrize("average", [mean_probability, mean_rank])
def test_members_are_the_first_of_three_axes(average):
    with pytest.raises(ValueError, match=r"got shape \(30, 2\)"):
        average(np.zeros((30, 2)))
