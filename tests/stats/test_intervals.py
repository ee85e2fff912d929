"""Clustered intervals of measures: what they share with those of AUCs, and the formulas on each scale."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit

from cxrbench.stats import ranked_influence
from cxrbench.stats.clustered import auc_difference, auc_estimate
from cxrbench.stats.influence import Influence, Sample, brier
from cxrbench.stats.intervals import Scale, clustered_spread, measure_difference, measure_estimate
from cxrbench.stats.joint import joint_aucs


@pytest.fixture
def two_models():
    rng = np.random.default_rng(0)
    patients = np.sort(rng.integers(150, size=600))
    present = rng.random(600) < 0.2 + 0.3 * (patients % 3 == 0)
    scores = rng.normal(size=(600, 2)) + 0.5 * rng.normal(size=(150, 1))[patients] + present[:, None]
    return scores, present, patients


def test_an_auc_has_the_interval_of_the_joint_covariance(two_models):
    """Two ways to the same numbers: contributions of images here, placements and covariances there."""
    scores, present, patients = two_models
    theirs = auc_estimate(joint_aucs(scores, present[:, None], patients), 0)
    ours = measure_estimate(ranked_influence.auc(Sample.of(scores[:, 0], present, patients)), scale=Scale.LOGIT)
    for name in ("estimate", "std_error", "lower", "upper", "df", "positive_patients"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name)), name


def test_a_difference_has_the_standard_error_of_the_joint_covariance(two_models):
    scores, present, patients = two_models
    theirs = auc_difference(joint_aucs(scores, present[:, None], patients), 0, 1)
    ours = measure_difference(*(ranked_influence.auc(Sample.of(one, present, patients)) for one in scores.T))
    for name in ("estimate", "std_error", "lower", "upper", "p_value", "smallest_detectable"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-3), name


def test_one_image_a_patient_gives_the_plain_variance():
    rng = np.random.default_rng(1)
    present = rng.random(500) < 0.4
    p = rng.random(500)
    found = measure_estimate(brier(Sample.of(p, present, np.arange(500))))
    assert found.std_error == pytest.approx(((p - present) ** 2).std(ddof=1) / np.sqrt(500), rel=1e-3)


@pytest.mark.parametrize(
    ("scale", "forward", "back"),
    [
        (Scale.PLAIN, lambda x: x, lambda x: x),
        (Scale.LOGIT, logit, expit),
        (Scale.FISHER, np.arctanh, np.tanh),
    ],
    ids=["plain", "logit", "fisher"],
)
def test_intervals_are_symmetric_on_their_scale(scale, forward, back):
    rng = np.random.default_rng(2)
    images = rng.normal(size=400) / 4000
    influence = Influence(0.3, images - images.mean(), np.arange(400) % 4 == 0, np.arange(400) // 2)
    found, spread = measure_estimate(influence, scale=scale), clustered_spread(influence)
    step = 1e-6
    slope = (forward(0.3 + step) - forward(0.3 - step)) / (2 * step)
    half = stats.t.ppf(0.975, spread.df) * np.sqrt(spread.corrected) * slope
    assert (found.lower, found.upper) == pytest.approx((back(forward(0.3) - half), back(forward(0.3) + half)))


def test_bias_moves_the_interval_and_not_the_estimate():
    rng = np.random.default_rng(3)
    images = rng.normal(size=400) / 4000
    present, code = np.arange(400) % 4 == 0, np.arange(400) // 2
    left_out = np.full(200, 0.02 / 199)  # a bias of 0.02
    plain, moved = (
        measure_estimate(Influence(0.3, images - images.mean(), present, code, without), scale=Scale.LOGIT)
        for without in (None, left_out)
    )
    assert moved.estimate == plain.estimate == 0.3
    centre = expit((logit(moved.lower) + logit(moved.upper)) / 2)
    assert centre == pytest.approx(0.3**2 / 0.32)


def test_a_model_does_not_differ_from_itself(two_models):
    scores, present, patients = two_models
    one = ranked_influence.average_precision(Sample.of(scores[:, 0], present, patients))
    found = measure_difference(one, one)
    assert (found.estimate, found.lower, found.upper, found.p_value) == (0, 0, 0, 1)


def test_an_estimate_at_the_end_of_its_range_has_a_reason():
    present = np.arange(40) % 2 == 0
    found = measure_estimate(
        ranked_influence.auc(Sample.of(present.astype(float), present, np.arange(40))), scale=Scale.LOGIT
    )
    assert found.reason == "an estimate of 1 is at the end of its range"


@pytest.mark.parametrize("few", ["positive", "negative"])
def test_few_patients_have_no_interval(few):
    present = np.arange(100) < 4 if few == "positive" else np.arange(100) >= 4
    sample = Sample.of(np.random.default_rng(4).random(100), present, np.arange(100))
    found = measure_estimate(brier(sample))
    assert np.isfinite(found.estimate)
    assert found.reason == f"4 {few} patients; an interval needs 5"


def test_one_patient_with_most_images_leaves_no_interval():
    present = np.arange(100) < 40
    patients = np.where(np.arange(100) < 30, 0, np.arange(100))
    found = measure_estimate(brier(Sample.of(np.random.default_rng(5).random(100), present, patients)))
    assert found.reason == "one patient has 75% of the positive images; an interval needs more of others"
