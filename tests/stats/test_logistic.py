import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from cxrbench.stats.logistic import fit_intercept, fit_line, fit_slope


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    logits = rng.normal(-3, 2, size=2000)
    return logits, (rng.random(2000) < expit(0.4 + 0.7 * logits)).astype(float)


def test_line_agrees_with_scikit_learn(drawn):
    logits, truth = drawn
    theirs = LogisticRegression(C=np.inf, tol=1e-10).fit(logits[:, None], truth)
    assert fit_line(logits, truth) == pytest.approx((theirs.intercept_[0], theirs.coef_[0, 0]), abs=1e-4)


def test_slope_alone_agrees_with_scikit_learn(drawn):
    logits, truth = drawn
    theirs = LogisticRegression(C=np.inf, tol=1e-10, fit_intercept=False).fit(logits[:, None], truth)
    assert fit_slope(logits, truth) == pytest.approx(theirs.coef_[0, 0], abs=1e-4)


def test_intercept_makes_as_many_expected_as_found(drawn):
    logits, truth = drawn
    assert expit(fit_intercept(logits, truth) + logits).sum() == pytest.approx(truth.sum())


def test_logits_far_off_are_fitted_too():
    rng = np.random.default_rng(1)
    logits = rng.normal(size=500)
    truth = (rng.random(500) < expit(logits)).astype(float)
    slope = fit_line(logits, truth)[1]
    assert fit_line(100 * logits, truth)[1] == pytest.approx(slope / 100)


def test_separated_classes_have_no_finite_line():
    logits = np.array([-2.0, -1.0, 1.0, 2.0])
    assert np.isnan(fit_line(logits, (logits > 0).astype(float))).all()
    assert np.isnan(fit_slope(logits, (logits > 0).astype(float)))


def test_constant_logits_have_no_slope():
    assert np.isnan(fit_line(np.ones(4), np.array([0.0, 1.0, 0.0, 1.0]))).all()
