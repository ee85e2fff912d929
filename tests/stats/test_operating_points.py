import numpy as np
import pytest
from sklearn import metrics

from cxrbench.stats.influence import Sample
from cxrbench.stats.operating_points import (
    likelihood_ratios,
    operating_differences,
    operating_point,
    predictive_values_at,
    sensitivity_threshold,
    specificity_threshold,
    youden_threshold,
)


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    present = rng.random(400) < 0.3
    return (rng.normal(size=400) + present).round(1), present, rng.integers(150, size=400)


def rates(scores, present, threshold):
    """Sensitivity and specificity by definition."""
    return (scores[present] >= threshold).mean(), (scores[~present] < threshold).mean()


def test_youden_threshold_is_the_best_of_all(drawn):
    scores, present, _ = drawn
    sums = {t: sum(rates(scores, present, t)) for t in np.unique(scores)}
    assert sums[youden_threshold(scores, present)] == max(sums.values())


@pytest.mark.parametrize("share", [0.5, 0.9, 1.0])
def test_sensitivity_is_reached_and_no_higher_threshold_reaches_it(drawn, share):
    scores, present, _ = drawn
    threshold = sensitivity_threshold(scores, present, at_least=share)
    assert rates(scores, present, threshold)[0] >= share
    assert rates(scores, present, scores[scores > threshold].min())[0] < share


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_specificity_is_reached_and_no_lower_threshold_reaches_it(drawn, share):
    scores, present, _ = drawn
    threshold = specificity_threshold(scores, present, at_least=share)
    assert rates(scores, present, threshold)[1] >= share
    assert rates(scores, present, scores[scores < threshold].max())[1] < share


def test_specificity_that_no_score_reaches_flags_nothing():
    assert specificity_threshold([0.1, 0.2, 0.9], [0, 1, 0], at_least=1.0) == np.inf


def test_rates_agree_with_scikit_learn(drawn):
    scores, present, patients = drawn
    point = operating_point(scores, present, patients, threshold=0.7)
    flagged = scores >= 0.7
    assert point.sensitivity.estimate == pytest.approx(metrics.recall_score(present, flagged))
    assert point.specificity.estimate == pytest.approx(metrics.recall_score(~present, ~flagged))
    assert point.positive_predictive_value.estimate == pytest.approx(metrics.precision_score(present, flagged))
    assert point.negative_predictive_value.estimate == pytest.approx(metrics.precision_score(~present, ~flagged))
    assert point.positive_predictive_value.images == flagged.sum()


def test_nothing_flagged_has_no_predictive_value(drawn):
    point = operating_point(*drawn, threshold=np.inf)
    assert point.sensitivity.estimate == 0
    assert np.isnan(point.positive_predictive_value.estimate)


@pytest.mark.parametrize("choose", [sensitivity_threshold, specificity_threshold])
def test_impossible_share_is_shown(drawn, choose):
    with pytest.raises(ValueError, match=r"got 1\.2"):
        choose(*drawn[:2], at_least=1.2)


def test_a_threshold_that_is_no_number_is_refused(drawn):
    """NaN compares as false with every score: it once gave a sensitivity of 0."""
    with pytest.raises(ValueError, match="threshold is NaN"):
        operating_point(*drawn, threshold=np.nan)


def test_a_score_that_is_no_number_is_refused(drawn):
    scores, present, patients = drawn
    scores[7] = np.nan
    with pytest.raises(ValueError, match="row 7 is NaN"):
        operating_point(scores, present, patients, threshold=0.5)


@pytest.fixture
def two_models():
    rng = np.random.default_rng(1)
    patients = np.sort(rng.integers(200, size=900))
    present = rng.random(900) < 0.25
    scores = rng.normal(size=(900, 2)) + 0.5 * rng.normal(size=(200, 1))[patients] + 1.2 * present[:, None]
    return [Sample.of(one, present, patients) for one in scores.T]


def test_likelihood_ratios_are_scikit_learns(two_models):
    sample = two_models[0]
    positive, negative = likelihood_ratios(sample, threshold=0.8)
    expected = metrics.class_likelihood_ratios(sample.present, sample.scores >= 0.8)
    assert (positive.estimate, negative.estimate) == pytest.approx(expected)
    for one in (positive, negative):
        assert one.lower < one.estimate < one.upper


def test_likelihood_ratios_move_with_redrawn_patients(two_models):
    sample = two_models[0]
    rng, drawn = np.random.default_rng(2), []
    rows_of = [np.flatnonzero(sample.code == patient) for patient in np.unique(sample.code)]
    for _ in range(400):
        rows = np.concatenate([rows_of[k] for k in rng.integers(len(rows_of), size=len(rows_of))])
        drawn.append(metrics.class_likelihood_ratios(sample.present[rows], sample.scores[rows] >= 0.8))
    for found, values in zip(likelihood_ratios(sample, threshold=0.8), np.transpose(drawn), strict=True):
        lower, upper = np.quantile(values, [0.025, 0.975])
        assert (found.lower, found.upper) == pytest.approx((lower, upper), abs=0.2 * (upper - lower))


def test_predictive_values_at_their_own_prevalence_are_the_samples(two_models):
    sample = two_models[0]
    point = operating_point(sample.scores, sample.present, sample.code, threshold=0.8)
    ppv, npv = predictive_values_at(sample, threshold=0.8, prevalence=sample.present.mean())
    assert ppv.estimate == pytest.approx(point.positive_predictive_value.estimate)
    assert npv.estimate == pytest.approx(point.negative_predictive_value.estimate)


def test_predictive_values_follow_bayes(two_models):
    sample = two_models[0]
    sensitivity, specificity = rates(sample.scores, sample.present, 0.8)
    ppv, npv = predictive_values_at(sample, threshold=0.8, prevalence=0.02)
    assert ppv.estimate == pytest.approx(0.02 * sensitivity / (0.02 * sensitivity + 0.98 * (1 - specificity)))
    assert npv.estimate == pytest.approx(0.98 * specificity / (0.98 * specificity + 0.02 * (1 - sensitivity)))
    for one in (ppv, npv):
        assert one.lower < one.estimate < one.upper


def test_no_false_alarm_leaves_the_ratio_open_above():
    sample = Sample.of(np.r_[np.ones(20), np.zeros(80)], np.arange(100) < 30, np.arange(100))
    positive, _ = likelihood_ratios(sample, threshold=0.5)
    assert (positive.estimate, positive.upper) == (np.inf, np.inf)
    assert positive.lower > 3
    assert predictive_values_at(sample, threshold=0.5, prevalence=0.1)[0].upper == 1


def test_differences_are_those_of_the_definition(two_models):
    first, second = two_models
    found = operating_differences(first, second, thresholds=(0.8, 0.5))
    shares = [rates(sample.scores, sample.present, cut) for sample, cut in zip(two_models, (0.8, 0.5), strict=True)]
    points = [
        operating_point(sample.scores, sample.present, sample.code, threshold=cut)
        for sample, cut in zip(two_models, (0.8, 0.5), strict=True)
    ]
    ratios = [likelihood_ratios(sample, threshold=cut) for sample, cut in zip(two_models, (0.8, 0.5), strict=True)]
    expected = {
        "sensitivity": shares[0][0] - shares[1][0],
        "specificity": shares[0][1] - shares[1][1],
        "ppv": points[0].positive_predictive_value.estimate - points[1].positive_predictive_value.estimate,
        "npv": points[0].negative_predictive_value.estimate - points[1].negative_predictive_value.estimate,
        "log_lr_positive": np.log(ratios[0][0].estimate / ratios[1][0].estimate),
        "log_lr_negative": np.log(ratios[0][1].estimate / ratios[1][1].estimate),
    }
    assert found.keys() == expected.keys()
    for name, difference in found.items():
        assert difference.estimate == pytest.approx(expected[name]), name
        assert difference.lower < difference.estimate < difference.upper
        assert (difference.p_value < 0.05) == (difference.lower > 0 or difference.upper < 0)


def test_paired_differences_of_shares_are_mcnemars_on_many_images():
    """One image a patient: the standard error of a paired difference is that of the discordant images."""
    rng = np.random.default_rng(3)
    n = 4000
    present = rng.random(n) < 0.5
    common = rng.normal(size=n)
    scores = [common + 0.5 * rng.normal(size=n) + present for _ in range(2)]
    found = operating_differences(*(Sample.of(one, present, np.arange(n)) for one in scores), thresholds=(0.5, 0.6))[
        "sensitivity"
    ]
    a, b = ((one[present] >= cut).astype(float) for one, cut in zip(scores, (0.5, 0.6), strict=True))
    half = 1.96 * (a - b).std(ddof=1) / np.sqrt(present.sum())
    assert (found.upper - found.lower) / 2 == pytest.approx(half, rel=0.02)


def test_models_on_other_images_are_not_compared(two_models):
    first, second = two_models
    other = Sample.of(second.scores, ~second.present, second.code)
    with pytest.raises(ValueError, match="truth or patients differ"):
        operating_differences(first, other, thresholds=(0.5, 0.5))


def test_impossible_prevalence_is_shown(two_models):
    with pytest.raises(ValueError, match=r"got 1\.0"):
        predictive_values_at(two_models[0], threshold=0.5, prevalence=1.0)
