import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from cxrbench.stats.bootstrap import resample_patients
from cxrbench.stats.precision import average_precision, average_precision_replicates


@given(st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_agrees_with_scikit_learn(seed, decimals):
    rng = np.random.default_rng(seed)
    scores, present = rng.normal(size=50).round(decimals), rng.random(50) < 0.3
    present[:2] = True, False
    assert average_precision(scores, present) == pytest.approx(metrics.average_precision_score(present, scores))


def test_replicates_are_those_built_by_hand():
    rng = np.random.default_rng(0)
    scores, present = rng.normal(size=200).round(1), rng.random(200) < 0.3
    resamples = resample_patients(rng.integers(50, size=200), replicates=120, seed=1)
    replicates = average_precision_replicates(scores, present, resamples)
    for b in (0, 57, 119):
        rows = np.repeat(np.arange(200), resamples.multiplicities[resamples.code, b])
        assert replicates[b] == pytest.approx(metrics.average_precision_score(present[rows], scores[rows]), abs=1e-12)


def test_replicate_without_a_positive_is_empty():
    resamples = resample_patients([0, 1], replicates=40, seed=0)
    replicates = average_precision_replicates([0.1, 0.9], [0, 1], resamples)
    np.testing.assert_array_equal(np.isnan(replicates), resamples.multiplicities[1] == 0)
