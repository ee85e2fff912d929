"""Measures built from samples: their values by definition, their support, averages and differences."""

import numpy as np
import pytest
from sklearn import metrics

from cxrbench.stats import measures
from cxrbench.stats.bootstrap import percentile_interval, resample_patients
from cxrbench.stats.calibration import brier_skill, brier_skill_replicates
from cxrbench.stats.decision import net_benefit, net_benefit_replicates
from cxrbench.stats.influence import Sample
from cxrbench.stats.intervals import Scale
from cxrbench.stats.measures import MEASURES, average, difference, estimate, named


@pytest.fixture
def two_models():
    rng = np.random.default_rng(0)
    patients = np.sort(rng.integers(250, size=1200))
    present = rng.random(1200) < 0.1 + 0.3 * (patients % 3 == 0)
    logits = rng.normal(size=(1200, 2)) + 0.5 * rng.normal(size=(250, 1))[patients] + 1.5 * present[:, None] - 1.8
    return [Sample.of(1 / (1 + np.exp(-one)), present, patients) for one in logits.T]


def value_of(built):
    return estimate(built).estimate


def test_brier_skill_is_that_of_the_definition(two_models):
    sample = two_models[0]
    assert value_of(measures.brier_skill(sample)) == pytest.approx(brier_skill(sample.scores, sample.present))


@pytest.mark.parametrize("threshold", [0.05, 0.2, 0.6])
def test_net_benefit_is_that_of_the_definition(two_models, threshold):
    sample = two_models[0]
    expected = net_benefit(sample.scores, sample.present, threshold)[0]
    assert value_of(measures.net_benefit(sample, threshold=threshold)) == pytest.approx(expected)
    standardised = measures.standardised_net_benefit(sample, threshold=threshold)
    assert value_of(standardised) == pytest.approx(expected / sample.present.mean())


@pytest.mark.parametrize("at_most", [0.1, 0.5, 1.0])
def test_partial_auc_is_scikit_learns(two_models, at_most):
    sample = two_models[0]
    expected = metrics.roc_auc_score(sample.present, sample.scores, max_fpr=at_most)
    assert value_of(measures.partial_auc(sample, at_most=at_most)) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["brier_skill", "net_benefit", "partial_auc", "average_precision"])
def test_intervals_are_near_those_of_redrawn_patients(two_models, name):
    """On a few hundred patients and a common finding both hold; where they part, the simulations decide."""
    sample = two_models[0]
    draws = resample_patients(sample.code, replicates=600, seed=1)
    measure = MEASURES.get(name) or named(name, 0.2)
    found = estimate(measure.build(sample), scale=measure.scale)
    drawn = {
        "brier_skill": lambda: brier_skill_replicates(sample.scores, sample.present, draws),
        "net_benefit": lambda: net_benefit_replicates(sample.scores, sample.present, draws, thresholds=0.2)[:, 0],
        "average_precision": lambda: redrawn(metrics.average_precision_score, sample, draws),
        "partial_auc": lambda: redrawn(lambda y, p: metrics.roc_auc_score(y, p, max_fpr=0.2), sample, draws),
    }[name]()
    lower, upper = map(float, percentile_interval(drawn))
    assert (found.lower, found.upper) == pytest.approx((lower, upper), abs=0.25 * (upper - lower))
    assert found.std_error == pytest.approx(np.std(drawn), rel=0.15)


def redrawn(function, sample, draws):
    """A measure of scikit-learn in every replicate, image by image."""
    rows = [np.repeat(np.arange(len(sample.code)), often[draws.code]) for often in draws.multiplicities.T[:300]]
    return [function(sample.present[chosen], sample.scores[chosen]) for chosen in rows]


@pytest.mark.parametrize("name", [*MEASURES, "net_benefit", "standardised_net_benefit", "partial_auc"])
def test_every_measure_has_an_interval_and_a_difference(two_models, name):
    measure = MEASURES.get(name) or named(name, 0.2)
    one, other = (measure.build(sample) for sample in two_models)
    found = estimate(one, scale=measure.scale)
    assert found.reason is None
    assert found.lower < found.estimate < found.upper
    both = difference(one, other)
    assert both.estimate == pytest.approx(value_of(one) - value_of(other))
    assert both.lower < both.estimate < both.upper
    assert (both.p_value < 0.05) == (both.lower > 0 or both.upper < 0)
    swapped = difference(other, one)
    assert (swapped.lower, swapped.upper) == pytest.approx((-both.upper, -both.lower))
    assert difference(one, one).p_value == 1


@pytest.mark.parametrize("name", ["brier_skill", "auc"])
def test_an_average_of_the_same_is_the_same(two_models, name):
    built = MEASURES[name].build(two_models[0])
    alone, mean = (estimate(one, scale=MEASURES[name].scale) for one in (built, average([built, built])))
    assert (mean.estimate, mean.lower, mean.upper) == pytest.approx((alone.estimate, alone.lower, alone.upper))


def test_an_average_over_models_is_narrower(two_models):
    built = [measures.brier_skill(sample) for sample in two_models]
    alone, mean = estimate(built[0]), estimate(average(built))
    assert mean.estimate == pytest.approx(np.mean([value_of(one) for one in built]))
    assert mean.upper - mean.lower < alone.upper - alone.lower


@pytest.mark.parametrize(
    ("threshold", "reason"),
    [(0.999, "2 flagged patients; an interval needs 5"), (0.001, "0 unflagged patients; an interval needs 5")],
)
def test_the_floor_counts_patients_on_both_sides_of_the_threshold(threshold, reason):
    p, present = np.r_[np.full(2, 0.9995), np.linspace(0.01, 0.9, 98)], np.arange(100) % 2 == 0
    found = estimate(measures.net_benefit(Sample.of(p, present, np.arange(100)), threshold=threshold))
    assert np.isfinite(found.estimate)
    assert (found.reason, np.isnan(found.lower)) == (reason, True)


def test_nobody_alarmed_still_has_an_interval():
    """All flagged images are positive: the false alarms' share is 0, which is not certain."""
    present = np.arange(200) < 40
    p = np.where(np.arange(200) < 20, 0.8, 0.1)
    found = estimate(measures.net_benefit(Sample.of(p, present, np.arange(200)), threshold=0.5))
    assert found.estimate == pytest.approx(0.1)
    assert found.lower < 0.06
    assert found.upper > 0.1


def test_what_cannot_be_combined_is_refused(two_models):
    linear, recovered = (MEASURES[name].build(two_models[0]) for name in ("auc", "brier_skill"))
    with pytest.raises(ValueError, match="have no mean"):
        average([linear, recovered])
    with pytest.raises(ValueError, match="have no difference"):
        difference(linear, recovered)
    with pytest.raises(ValueError, match="choose from net_benefit"):
        named("skill", 0.1)
    with pytest.raises(ValueError, match=r"between 0 and 1; got 1\.0"):
        measures.net_benefit(two_models[0], threshold=1.0)


def test_the_scale_of_each_measure_is_within_its_range():
    assert {name for name, one in MEASURES.items() if one.scale is Scale.LOGIT} == {"auc", "average_precision"}
