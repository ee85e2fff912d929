import numpy as np
import pytest
from sklearn import metrics

from cxrbench.stats.operating_points import (
    operating_point,
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
