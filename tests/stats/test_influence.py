"""Contributions of images against the definition: how a weighted measure changes when one image counts more."""

import numpy as np
import pytest
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from cxrbench.stats import influence, ranked_influence
from cxrbench.stats.calibration import calibration_intercept, calibration_slope
from cxrbench.stats.influence import Sample, combined
from cxrbench.stats.ranking import spearman

STEP = 1e-4


@pytest.fixture(scope="module", params=[1, 8], ids=["many ties", "no ties"])
def drawn(request):
    rng = np.random.default_rng(0)
    present = rng.random(300) < 0.3
    logits = (rng.normal(size=300) + present).round(request.param)
    return 1 / (1 + np.exp(1 - logits)), present, rng.integers(120, size=300)


def partial_area(present, scores, weights, share):
    """Area of scikit-learn's weighted ROC curve up to a false positive rate."""
    fpr, tpr, _ = metrics.roc_curve(present, scores, sample_weight=weights, drop_intermediate=False)
    inside = fpr <= share
    at = np.interp(share, fpr, tpr) if not (fpr == share).any() else tpr[inside][-1]
    return np.trapezoid(np.append(tpr[inside], at), np.append(fpr[inside], share))


def ranks(values, weights):
    below = [(weights[values < v].sum() + weights[values == v].sum() / 2) / weights.sum() for v in values]
    return np.array(below)


def correlation(a, b, weights):
    x, y = (ranks(v, weights) - np.average(ranks(v, weights), weights=weights) for v in (a, b))
    return np.average(x * y, weights=weights) / np.sqrt(
        np.average(x**2, weights=weights) * np.average(y**2, weights=weights)
    )


MEASURES = {
    "average precision": (
        ranked_influence.average_precision, lambda p, y, w: metrics.average_precision_score(y, p, sample_weight=w)
    ),
    "AUC": (ranked_influence.auc, lambda p, y, w: metrics.roc_auc_score(y, p, sample_weight=w)),
    "partial AUC": (
        lambda s: ranked_influence.partial_auc(s, share=0.2), lambda p, y, w: partial_area(y, p, w, 0.2)
    ),
    "Brier": (influence.brier, lambda p, y, w: np.average((p - y) ** 2, weights=w)),
}  # fmt: skip


@pytest.mark.parametrize("name", MEASURES)
def test_contributions_are_derivatives_of_the_weighted_measure(drawn, name):
    p, present, patients = drawn
    of_sample, weighted = MEASURES[name]
    found = of_sample(Sample.of(p, present, patients))
    assert found.estimate == pytest.approx(weighted(p, present, np.ones(300)))
    assert found.images.sum() == pytest.approx(0, abs=1e-14)
    for image in range(0, 300, 37):
        more, less = np.ones(300), np.ones(300)
        more[image] += STEP
        less[image] -= STEP
        slope = (weighted(p, present, more) - weighted(p, present, less)) / (2 * STEP)
        assert found.images[image] == pytest.approx(slope, abs=1e-8)


def test_rank_correlation_moves_likewise(drawn):
    p, present, patients = drawn
    other = (np.log(p / (1 - p)) + np.random.default_rng(1).normal(size=300)).round(1)
    found = influence.spearman(p, other, Sample.of(p, present, patients))
    assert found.estimate == pytest.approx(spearman(p, other))
    for image in range(0, 300, 61):
        more, less = np.ones(300), np.ones(300)
        more[image] += STEP
        less[image] -= STEP
        slope = (correlation(p, other, more) - correlation(p, other, less)) / (2 * STEP)
        assert found.images[image] == pytest.approx(slope, abs=1e-8)


def test_constant_ranks_have_no_correlation(drawn):
    p, present, patients = drawn
    assert np.isnan(influence.spearman(np.ones(300), p, Sample.of(p, present, patients)).estimate)


@pytest.mark.parametrize(
    ("of_sample", "value"),
    [(influence.calibration_slope, calibration_slope), (influence.calibration_intercept, calibration_intercept)],
    ids=["slope", "intercept"],
)
def test_calibration_moves_by_leaving_patients_out(drawn, of_sample, value):
    """One Newton step from the fit of all: close to refitting, whatever else is left of the patient."""
    p, present, patients = drawn
    found = of_sample(Sample.of(p, present, patients))
    assert found.estimate == pytest.approx(value(p, present))
    by_patient = np.bincount(found.code, weights=found.images)
    for patient in np.unique(patients)[:12]:
        rest = patients != patient
        assert by_patient[patient] == pytest.approx(value(p, present) - value(p[rest], present[rest]), abs=0.01)


def test_calibration_standard_error_is_that_of_clustered_regression(drawn):
    """Without the allowance for what a patient pulls at itself, it is the sandwich: here by scikit-learn's fit."""
    p, present, _ = drawn
    logits = np.log(p / (1 - p))
    fit = LogisticRegression(C=np.inf, tol=1e-12).fit(logits[:, None], present)
    fitted = fit.predict_proba(logits[:, None])[:, 1]
    design = np.stack([np.ones(300), logits])
    bread = np.linalg.inv((design * (fitted * (1 - fitted))) @ design.T)
    meat = (design * (present - fitted)) @ (design * (present - fitted)).T
    found = influence.calibration_slope(Sample.of(p, present, np.arange(300)))
    assert found.images @ found.images == pytest.approx((bread @ meat @ bread)[1, 1], rel=0.05)


def test_average_precision_without_each_patient_is_recomputed(drawn):
    p, present, patients = drawn
    found = ranked_influence.average_precision(Sample.of(p, present, patients))
    names = np.unique(patients)
    without = [metrics.average_precision_score(present[patients != name], p[patients != name]) for name in names]
    np.testing.assert_allclose(found.left_out[names] + found.estimate, without, atol=1e-12)
    n = len(names)
    assert found.bias == pytest.approx((n - 1) * (np.mean(without) - found.estimate))
    assert found.jackknife == pytest.approx((n - 1) * np.var(without))


def test_all_patients_fit_in_one_portion_or_in_several(drawn, monkeypatch):
    sample = Sample.of(*drawn)
    whole = ranked_influence.average_precision(sample).left_out
    monkeypatch.setattr(ranked_influence, "THRESHOLDS", 7)
    np.testing.assert_allclose(ranked_influence.average_precision(sample).left_out, whole, atol=1e-15)


def test_a_mean_over_splits_joins_what_a_patient_adds():
    rng = np.random.default_rng(2)
    present, scores, patients = rng.random(200) < 0.4, rng.random(200), rng.integers(50, size=200)
    halves = [np.arange(200) < 120, np.arange(200) >= 80]
    parts = [ranked_influence.auc(Sample(scores[rows], present[rows], patients[rows])) for rows in halves]
    mean = combined(parts, [0.5, 0.5])
    assert mean.estimate == pytest.approx(np.mean([part.estimate for part in parts]))
    by_patient = sum(np.bincount(part.code, weights=part.images, minlength=50) for part in parts) / 2
    np.testing.assert_allclose(np.bincount(mean.code, weights=mean.images, minlength=50), by_patient)


def test_seeds_on_one_split_stay_on_its_images(drawn):
    sample = Sample.of(*drawn)
    parts = [ranked_influence.auc(sample), ranked_influence.auc(Sample(1 - sample.scores, sample.present, sample.code))]
    mean = combined(parts, [0.5, 0.5])
    assert len(mean.images) == 300
    np.testing.assert_allclose(mean.images, 0, atol=1e-15)


def test_bad_samples_are_shown():
    with pytest.raises(ValueError, match="row 1 is NaN"):
        Sample.of([0.1, np.nan], [0, 1], [1, 2])
    with pytest.raises(ValueError, match=r"got \(3,\) for 2 images"):
        Sample.of([0.1, 0.2], [0, 1], [1, 2, 3])
    with pytest.raises(ValueError, match=r"at most 1; got 1\.5"):
        ranked_influence.partial_auc(Sample.of([0.1, 0.2], [0, 1], [1, 2]), share=1.5)
    with pytest.raises(ValueError, match="got 1 for 0"):
        combined([], [1.0])
