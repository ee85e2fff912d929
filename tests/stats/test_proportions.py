import numpy as np
import pytest
from scipy import stats
from scipy.stats import binomtest

from cxrbench.stats.proportions import clustered_proportion

EVERY = np.ones(100, dtype=bool)


def test_one_image_per_patient_is_wilson_with_student_t():
    hits = np.arange(100) < 30
    result = clustered_proportion(hits, EVERY, np.arange(100))
    assert result.estimate == 0.3
    assert result.std_error == pytest.approx(np.sqrt(0.3 * 0.7 / 99))
    wilson = binomtest(30, 100).proportion_ci(method="wilson")
    assert (result.lower, result.upper) == pytest.approx((wilson.low, wilson.high), abs=0.003)


def test_variance_is_that_of_a_ratio_of_patient_sums():
    rng = np.random.default_rng(0)
    patients, hits, among = rng.integers(20, size=100), rng.random(100) < 0.4, rng.random(100) < 0.7
    result = clustered_proportion(hits, among, patients)
    deviation = [
        hits[among & (patients == p)].sum() - result.estimate * (among & (patients == p)).sum()
        for p in np.unique(patients[among])
    ]
    n = len(deviation)
    assert result.std_error == pytest.approx(np.sqrt(n / (n - 1) * np.square(deviation).sum()) / among.sum())
    assert (result.images, result.patients) == (among.sum(), n)


def test_copies_of_images_add_nothing():
    hits = np.arange(50) < 20
    once = clustered_proportion(hits, np.ones(50, dtype=bool), np.arange(50))
    copies = clustered_proportion(*(np.repeat(a, 9) for a in (hits, np.ones(50, dtype=bool), np.arange(50))))
    assert (copies.lower, copies.upper) == pytest.approx((once.lower, once.upper))


def test_all_hits_count_each_patient_once():
    result = clustered_proportion(EVERY, EVERY, np.repeat(np.arange(10), 10))
    t = stats.t.ppf(0.975, 9)
    assert result.upper == 1
    assert result.lower == pytest.approx(10 / (10 + t**2))


def test_coverage_with_clusters():
    rng = np.random.default_rng(1)
    held = []
    for _ in range(400):
        patients = np.repeat(np.arange(40), rng.geometric(0.25, 40))
        share = rng.beta(1.6, 0.4, 40)  # of mean 0.8
        result = clustered_proportion(rng.random(len(patients)) < share[patients], np.ones_like(patients) > 0, patients)
        held.append(result.lower <= 0.8 <= result.upper)
    assert 0.92 < np.mean(held) < 0.985


def test_few_patients_have_no_interval():
    result = clustered_proportion(EVERY, EVERY, np.arange(100) % 4)
    assert (result.estimate, result.reason) == (1, "4 patients; an interval needs 5")


def test_no_image_has_no_proportion():
    result = clustered_proportion(EVERY, ~EVERY, np.arange(100))
    assert np.isnan(result.estimate)
    assert result.images == 0
