"""Means over images and shares of them, against the textbook where each patient has one image, and by simulation."""

import numpy as np
import pytest
from scipy import stats
from scipy.stats import binomtest

from cxrbench.stats.means import clustered_mean, clustered_proportion

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


def test_one_image_each_is_students_interval():
    values = np.random.default_rng(0).normal(3, 2, 40)
    found = clustered_mean(values, np.arange(40))
    std_error = values.std(ddof=1) / np.sqrt(40)
    assert found.std_error == pytest.approx(std_error)
    assert found.upper == pytest.approx(values.mean() + 2.0226909 * std_error)  # t(39), 97.5 %


def test_the_interval_covers_the_mean_of_new_patients():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(400):
        sizes = rng.geometric(0.4, 40)
        patient = np.repeat(np.arange(40), sizes)
        values = rng.normal(0, 1, 40)[patient] + rng.normal(0, 1, len(patient))
        found = clustered_mean(values, patient)
        hits += found.lower < 0 < found.upper
    assert 0.92 <= hits / 400 <= 0.98


def test_few_patients_have_a_mean_and_no_interval():
    found = clustered_mean([1.0, 2.0, 3.0], ["a", "a", "b"])
    assert found.estimate == 2.0
    assert np.isnan(found.lower)
    assert found.reason == "2 patients; an interval needs 5"
    assert np.isnan(clustered_mean([], []).estimate)


def test_a_patient_is_needed_for_every_value():
    with pytest.raises(ValueError, match=r"got \(2,\) for \(3,\)"):
        clustered_mean([1.0, 2.0, 3.0], ["a", "b"])
