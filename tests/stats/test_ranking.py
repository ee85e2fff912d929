import numpy as np
import pytest
from scipy import stats

from cxrbench.stats.bootstrap import resample_patients
from cxrbench.stats.ranking import spearman, spearman_matrix, spearman_replicates


@pytest.mark.parametrize("decimals", [1, 8], ids=["many ties", "no ties"])
def test_agrees_with_scipy(decimals):
    rng = np.random.default_rng(0)
    a = rng.normal(size=200).round(decimals)
    b = (a + rng.normal(size=200)).round(decimals)
    assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)


def test_matrix_holds_every_pair():
    columns = np.random.default_rng(1).normal(size=(50, 4)).astype(np.float32)
    matrix = spearman_matrix(columns)
    np.testing.assert_allclose(np.diag(matrix), 1)
    for i, j in np.ndindex(4, 4):
        assert matrix[i, j] == pytest.approx(spearman(columns[:, i], columns[:, j]), abs=1e-12)


def test_monotone_change_of_one_column_changes_nothing():
    a, b = np.random.default_rng(2).normal(size=(2, 60))
    assert spearman(np.exp(a), b) == spearman(a, b)


def test_constant_column_has_no_correlation():
    assert np.isnan(spearman([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]))


def test_integers_are_ranked_too():
    assert spearman([1, 2, 3], [30, 20, 10]) == pytest.approx(-1)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        spearman([1.0, 2.0], [1.0, 2.0, 3.0])


def test_one_row_is_too_few():
    with pytest.raises(ValueError, match=r"got shape \(1, 2\)"):
        spearman([1.0], [2.0])


@pytest.mark.parametrize("decimals", [0, 8], ids=["ties", "no ties"])
def test_replicates_are_those_built_by_hand(decimals):
    rng = np.random.default_rng(3)
    columns = (rng.normal(size=(80, 3)) + rng.normal(size=(80, 1))).round(decimals)
    resamples = resample_patients(rng.integers(30, size=80), replicates=45, seed=0)
    replicates = spearman_replicates(columns, resamples)
    for b in (0, 25, 44):
        rows = np.repeat(np.arange(80), resamples.multiplicities[resamples.code, b])
        np.testing.assert_allclose(replicates[b], spearman_matrix(columns[rows]), atol=1e-12)


def test_rows_of_a_test_part_keep_the_draws():
    rng = np.random.default_rng(4)
    columns, rows = rng.normal(size=(60, 2)), np.arange(10, 50)
    resamples = resample_patients(rng.integers(20, size=60), replicates=6, seed=0)
    part = spearman_replicates(columns[rows], resamples.of_rows(rows))
    drawn = np.repeat(rows, resamples.multiplicities[resamples.code[rows], 5])
    np.testing.assert_allclose(part[5], spearman_matrix(columns[drawn]), atol=1e-12)
