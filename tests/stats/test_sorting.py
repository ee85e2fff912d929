"""The order of the scores, which every rank statistic reads, against NumPy's stable sort."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cxrbench.stats.sorting import ascending

any_floats = st.floats(allow_nan=False)
near = st.integers(0, 20).map(lambda k: 0.1 + k * 1e-12)  # equal in float32, different in float64


@given(hnp.arrays(np.float64, st.integers(0, 60), elements=st.one_of(any_floats, near)))
def test_float64_is_sorted_and_equal_scores_keep_their_order(scores):
    np.testing.assert_array_equal(ascending(scores), np.argsort(scores, kind="stable"))


@pytest.mark.parametrize("spread", [1.0, 1e-6, 1e-9, 1e300])
@pytest.mark.parametrize("decimals", [2, 17])
def test_long_columns_of_any_spread(spread, decimals):
    rng = np.random.default_rng(0)
    scores = (rng.normal(size=5000).round(decimals) * spread) + (0.5 if spread < 1 else 0)
    np.testing.assert_array_equal(ascending(scores), np.argsort(scores, kind="stable"))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_score_that_is_no_number_is_named(dtype):
    scores = np.arange(10, dtype=dtype)
    scores[7] = np.nan
    with pytest.raises(ValueError, match="row 7 is NaN"):
        ascending(scores)
