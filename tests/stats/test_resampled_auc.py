import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrbench.stats import resampled_auc
from cxrbench.stats.bootstrap import resample_patients
from cxrbench.stats.clustered import auc_estimate
from cxrbench.stats.joint import joint_aucs
from cxrbench.stats.resampled_auc import auc_replicates
from cxrbench.stats.roc import auc


def naive(scores, present, resamples):
    """The definition: build each replicate, image by image."""
    out = np.full((resamples.replicates, scores.shape[1]), np.nan)
    for b in range(resamples.replicates):
        rows = np.repeat(np.arange(len(scores)), resamples.multiplicities[resamples.code, b])
        for k in range(scores.shape[1]):
            truth = present[rows, k % present.shape[1]]
            stated = ~np.isnan(truth)
            if {0, 1} <= set(truth[stated]):
                out[b, k] = auc(scores[rows[stated], k], truth[stated])
    return out


def draw(seed, *, n, patients, decimals):
    rng = np.random.default_rng(seed)
    present = (rng.random((n, 2)) < 0.2).astype(float)
    present[rng.random((n, 2)) < 0.1] = np.nan
    scores = (rng.normal(size=(n, 4)) + np.tile(np.nan_to_num(present), 2)).round(decimals)
    return (
        scores.astype(np.float32),
        present,
        resample_patients(rng.integers(patients, size=n), replicates=9, seed=seed),
    )


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(0, 3))
def test_replicates_are_exact(seed, n, decimals):
    drawn = draw(seed, n=n, patients=12, decimals=decimals)
    np.testing.assert_allclose(auc_replicates(*drawn), naive(*drawn), rtol=0, atol=1e-12)


@pytest.mark.parametrize("decimals", [1, 8], ids=["ties", "no ties"])
def test_replicates_are_exact_over_many_blocks(decimals, monkeypatch):
    monkeypatch.setattr(resampled_auc, "BLOCK", 8)
    monkeypatch.setattr(resampled_auc, "CHUNK", 4)
    monkeypatch.setattr(resampled_auc, "CUT", 7)
    drawn = draw(0, n=1500, patients=200, decimals=decimals)
    np.testing.assert_allclose(auc_replicates(*drawn), naive(*drawn), rtol=0, atol=1e-12)


@pytest.mark.parametrize("images", [300, 70_000], ids=["eight bits", "sixteen bits"])
@pytest.mark.parametrize("is_tied", [False, True])
def test_sums_of_a_long_run_are_exact(images, is_tied):
    """One patient with many negatives below every positive, or at the lowest positive's score, which cannot be cut."""
    scores = np.concatenate([np.zeros(images), [0, 1, 1] if is_tied else [1, 1, 1]])[:, None]
    present = (np.arange(images + 3) >= images)[:, None].astype(float)
    drawn = resample_patients(np.maximum(np.arange(images + 3) - images, -1), replicates=30, seed=0)
    np.testing.assert_allclose(
        auc_replicates(scores, present, drawn), naive(scores, present, drawn), rtol=0, atol=1e-12
    )


def test_class_that_is_not_drawn_leaves_the_replicate_empty():
    resamples = resample_patients([0, 1], replicates=40, seed=0)
    replicates = auc_replicates([[0.1], [0.9]], [[0], [1]], resamples)
    np.testing.assert_array_equal(np.isnan(replicates[:, 0]), (resamples.multiplicities == 2).any(axis=0))


def test_spread_is_that_of_the_clustered_variance():
    rng = np.random.default_rng(3)
    patients = np.repeat(np.arange(400), rng.geometric(0.3, 400))
    present = (rng.random((len(patients), 1)) < 0.3).astype(float)
    scores = rng.normal(size=(len(patients), 1)) + rng.normal(size=(400, 1))[patients] + present
    replicates = auc_replicates(scores, present, resample_patients(patients, seed=1))
    expected = auc_estimate(joint_aucs(scores, present, patients), 0)
    assert replicates.std() == pytest.approx(expected.std_error, rel=0.08)
