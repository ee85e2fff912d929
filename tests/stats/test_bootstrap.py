import numpy as np
import pytest

from cxrbench.stats import bootstrap
from cxrbench.stats.bootstrap import percentile_interval, resample_patients, stacked_sums, sum_replicates


def test_every_replicate_draws_as_many_patients_as_there_are():
    resamples = resample_patients([7, 7, 3, 9, 3, 7], replicates=50, seed=0)
    np.testing.assert_array_equal(resamples.code, [1, 1, 0, 2, 0, 1])
    assert resamples.multiplicities.shape == (3, 50)
    assert (resamples.multiplicities.sum(axis=0) == 3).all()


def test_draws_are_uniform_and_independent():
    drawn = resample_patients(np.arange(40), replicates=5000, seed=1).multiplicities.astype(float)
    assert drawn.mean(axis=1) == pytest.approx(1, abs=0.08)
    assert drawn.var() == pytest.approx(1 - 1 / 40, abs=0.01)


def test_same_seed_draws_the_same():
    one, same, other = (resample_patients(np.arange(30), replicates=20, seed=s).multiplicities for s in (4, 4, 5))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_a_part_is_drawn_with_everyone():
    patients, rows = np.array([4, 4, 2, 9, 2, 7]), np.array([5, 1, 0])
    everyone = resample_patients(patients, replicates=200, seed=3)
    part = resample_patients(patients, replicates=200, seed=3, rows=rows)
    np.testing.assert_array_equal(part.multiplicities[part.code], everyone.multiplicities[everyone.code[rows]])
    assert part.multiplicities.shape == (2, 200)


def test_sums_are_those_of_the_replicates_built_by_hand():
    rng = np.random.default_rng(2)
    patients, values = rng.integers(10, size=60).astype(str), rng.normal(size=(60, 3))
    resamples = resample_patients(patients, replicates=7, seed=0)
    rows = [np.repeat(np.arange(60), resamples.multiplicities[resamples.code, b]) for b in range(7)]
    np.testing.assert_allclose(sum_replicates(values, resamples), [values[r].sum(axis=0) for r in rows], rtol=1e-12)


def test_interval_leaves_out_replicates_without_a_value():
    replicates = np.stack([np.arange(101.0), np.full(101, np.nan)], axis=1)
    replicates[100, 0] = np.nan
    lower, upper = percentile_interval(replicates, confidence=0.9)
    np.testing.assert_allclose((lower[0], upper[0]), np.quantile(np.arange(100.0), [0.05, 0.95]))
    assert np.isnan([lower[1], upper[1]]).all()


def test_stacked_sums_are_those_of_each_table():
    rng = np.random.default_rng(3)
    draws = resample_patients(rng.integers(30, size=100), replicates=70, seed=2)
    tables = [rng.normal(size=(100, 3)), rng.random(100)]
    for found, table in zip(stacked_sums(tables, draws), tables, strict=True):
        np.testing.assert_allclose(found, sum_replicates(table.reshape(100, -1), draws))


def test_sums_do_not_depend_on_whether_the_draws_are_kept_as_floats(monkeypatch):
    rng = np.random.default_rng(4)
    patients, values = rng.integers(30, size=100), rng.normal(size=(100, 2))
    kept = sum_replicates(values, resample_patients(patients, replicates=70, seed=2))
    monkeypatch.setattr(bootstrap, "MOST_BYTES", 0)
    in_portions = sum_replicates(values, resample_patients(patients, replicates=70, seed=2))
    np.testing.assert_allclose(in_portions, kept)
