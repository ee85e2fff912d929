import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrbench.stats.bootstrap import resample_patients
from cxrbench.stats.clusters import ClusterSizes, numbered, residual_moments, residual_spectrum


def dense_moments(sizes, correlation):
    """The definition: covariance of the residuals as a matrix."""
    sizes = sizes[sizes > 0].astype(float)
    taken_off = np.eye(len(sizes)) - np.outer(sizes / sizes.sum(), np.ones(len(sizes)))
    true = np.diag(sizes * (1 + (sizes - 1) * correlation))
    covariance = taken_off @ true @ taken_off.T
    trace = np.trace(covariance)
    return trace / np.trace(true), trace**2 / np.trace(covariance @ covariance)


@given(st.lists(st.integers(0, 184), min_size=2).filter(lambda s: sum(m > 0 for m in s) > 1), st.floats(0, 1))
def test_agrees_with_the_matrix(sizes, correlation):
    counts = np.array(sizes)
    moments = residual_moments(ClusterSizes.of(counts[:, None]), 0, correlation)
    shrinkage, df = dense_moments(counts, correlation)
    assert moments.shrinkage == pytest.approx(shrinkage, rel=1e-6)
    assert moments.df == pytest.approx(df, rel=1e-6)


@pytest.mark.parametrize("size", [1, 4])
def test_equal_clusters_give_the_textbook_numbers(size):
    moments = residual_moments(ClusterSizes.of(np.full((12, 1), size)), 0, 0.3)
    assert moments.df == pytest.approx(11)
    assert moments.shrinkage == pytest.approx(11 / 12)


def test_counts_by_label():
    sizes = ClusterSizes.of(np.array([[3, 0], [1, 2]]))
    np.testing.assert_array_equal(sizes.patients, [2, 1])
    np.testing.assert_array_equal(sizes.images, [4, 2])


@given(
    st.lists(st.integers(0, 30), min_size=3, max_size=40).filter(lambda s: sum(m > 0 for m in s) > 1), st.floats(0, 1)
)
def test_the_spectrum_is_that_of_the_matrix(sizes, correlation):
    counts = np.array(sizes)
    values, number = residual_spectrum(ClusterSizes.of(counts[:, None]), 0, correlation)
    sizes = counts[counts > 0].astype(float)
    taken_off = np.eye(len(sizes)) - np.outer(sizes / sizes.sum(), np.ones(len(sizes)))
    covariance = taken_off @ np.diag(sizes * (1 + (sizes - 1) * correlation)) @ taken_off.T
    expected = np.sort(np.linalg.eigvalsh(covariance))[1:] / np.trace(covariance)
    np.testing.assert_allclose(np.sort(np.repeat(values, number.astype(int))), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("patients", "shown"),
    [
        (np.array([1.0, np.nan, np.nan]), "row 1 is nan"),
        (np.array(["a", "b", None], dtype=object), "row 2 is None"),
        (np.array(["a", float("nan")], dtype=object), "row 1 is nan"),
    ],
    ids=["numbers", "missing name", "NaN among names"],
)
@pytest.mark.parametrize("read", [numbered, resample_patients])
def test_unknown_patients_are_not_one_patient(read, patients, shown):
    with pytest.raises(ValueError, match=shown):
        read(patients)
