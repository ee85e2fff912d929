import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn import calibration as sklearn_calibration
from sklearn import metrics

from cxrbench.stats import calibration
from cxrbench.stats.bootstrap import percentile_interval, resample_patients
from cxrbench.stats.logistic import fit_intercept, fit_line


@pytest.fixture
def drawn():
    """Over-confident probabilities (N,), truth, patients."""
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(300), rng.geometric(0.3, 300))
    logits = rng.normal(-1.5, 1, len(patients))
    return expit(1.5 * logits), rng.random(len(patients)) < expit(logits), patients


def by_hand(resamples, b):
    """Rows of replicate b."""
    return np.repeat(np.arange(len(resamples.code)), resamples.multiplicities[resamples.code, b])


def test_brier_skill_agrees_with_scikit_learn(drawn):
    values, truth, _ = drawn
    reference = metrics.brier_score_loss(truth, np.full(len(truth), truth.mean()))
    assert calibration.brier_skill(values, truth) == pytest.approx(
        1 - metrics.brier_score_loss(truth, values) / reference
    )


def test_always_saying_the_prevalence_has_no_skill():
    assert calibration.brier_skill([0.25] * 4, [1, 0, 0, 0]) == pytest.approx(0)


def test_reliability_agrees_with_scikit_learn(drawn):
    values, truth, _ = drawn
    found, expected = sklearn_calibration.calibration_curve(truth, values, n_bins=10, strategy="quantile")
    ours = calibration.reliability(values, truth, bins=10)
    np.testing.assert_allclose(ours[0], expected)
    np.testing.assert_allclose(ours[1], found)
    assert ours[2].sum() == len(values)


def test_calibration_error_is_the_weighted_distance_of_the_curve(drawn):
    values, truth, _ = drawn
    expected, found, sizes = calibration.reliability(values, truth)
    distance = (sizes * np.abs(expected - found)).sum() / sizes.sum()
    assert calibration.calibration_error(values, truth) == pytest.approx(distance)


def test_equal_probabilities_share_a_bin():
    values, truth = np.repeat([0.2, 0.6], 50), np.tile([True, False], 50)
    assert calibration.calibration_error(values, truth) == pytest.approx((0.3 + 0.1) / 2)


def test_slope_and_intercept_of_calibrated_probabilities():
    rng = np.random.default_rng(1)
    logits = rng.normal(-2, 1.5, 100_000)
    truth = rng.random(100_000) < expit(logits)
    assert calibration.calibration_slope(expit(logits), truth) == pytest.approx(1, abs=0.03)
    assert calibration.calibration_intercept(expit(logits), truth) == pytest.approx(0, abs=0.03)
    assert calibration.calibration_slope(expit(2 * logits), truth) == pytest.approx(0.5, abs=0.02)
    assert calibration.calibration_intercept(expit(logits - 1), truth) == pytest.approx(1, abs=0.03)


def test_sums_give_the_replicates_built_by_hand(drawn):
    values, truth, patients = drawn
    resamples = resample_patients(patients, replicates=5, seed=0)
    skill = calibration.brier_skill_replicates(values, truth, resamples)
    for b in range(5):
        rows = by_hand(resamples, b)
        assert skill[b] == pytest.approx(calibration.brier_skill(values[rows], truth[rows]))


def test_calibration_error_of_a_replicate_uses_the_bins_of_the_sample(drawn):
    values, truth, patients = drawn
    resamples = resample_patients(patients, replicates=3, seed=0)
    edges = np.quantile(values, np.arange(1, 15) / 15)
    rows = by_hand(resamples, 2)
    place = np.searchsorted(edges, values[rows])
    expected = np.abs(np.bincount(place, weights=truth[rows] - values[rows])).sum() / len(rows)
    assert calibration.calibration_error_replicates(values, truth, resamples)[2] == pytest.approx(expected)


def test_replicates_are_as_good_as_refitted(drawn):
    values, truth, patients = drawn
    resamples = resample_patients(patients, replicates=100, seed=0)
    quick = (
        calibration.calibration_slope_replicates(values, truth, resamples),
        calibration.calibration_intercept_replicates(values, truth, resamples),
    )
    x, y = logit(values), truth.astype(float)
    slopes = [fit_line(x[rows], y[rows])[1] for rows in (by_hand(resamples, b) for b in range(100))]
    intercepts = [fit_intercept(x[rows], y[rows]) for rows in (by_hand(resamples, b) for b in range(100))]
    for changed, refitted in zip(quick, (slopes, intercepts), strict=True):
        assert np.abs(changed - refitted).max() < 0.1 * np.std(refitted)
        assert np.abs(changed - refitted).mean() < 0.01 * np.std(refitted)


@pytest.mark.parametrize("images", [1, 8], ids=["independent", "patients of eight images"])
def test_error_of_a_perfect_model_is_what_chance_gives(images):
    """Truths of one patient go together: all of a patient's images are present, or none."""
    rng = np.random.default_rng(2)
    patients = np.repeat(np.arange(4000 // images), images)
    risk = rng.uniform(0.05, 0.5, patients.max() + 1)[patients]
    errors, expected = [], []
    for _ in range(200):
        truth = rng.random(patients.max() + 1)[patients] < risk
        errors.append(calibration.calibration_error(risk, truth))
        expected.append(calibration.calibration_error_if_perfect(risk, truth, patients))
    assert np.mean(expected) == pytest.approx(np.mean(errors), rel=0.05)


def test_error_of_a_perfect_model_does_not_grow_with_miscalibration(drawn):
    values, truth, patients = drawn
    honest = calibration.calibration_error_if_perfect(values, truth, patients)
    assert calibration.calibration_error_if_perfect(values**3, truth, patients) == pytest.approx(honest, rel=0.05)


@pytest.mark.parametrize("name", calibration.MEASURES)
def test_every_measure_lies_among_its_replicates(drawn, name):
    values, truth, patients = drawn
    of_sample, of_replicates = calibration.MEASURES[name]
    lower, upper = percentile_interval(of_replicates(values, truth, resample_patients(patients, replicates=200)))
    assert lower < of_sample(values, truth) < upper


def test_probability_out_of_range_is_named():
    with pytest.raises(ValueError, match=r"row 1 is 1\.5"):
        calibration.brier_skill([0.2, 1.5], [0, 1])


def test_missing_probability_is_named():
    with pytest.raises(ValueError, match="row 0 is nan"):
        calibration.brier_skill([np.nan, 0.5], [0, 1])
