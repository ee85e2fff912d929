import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit
from sklearn import metrics
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from cxrbench.stats.calibrators import fit_isotonic, fit_platt, fit_temperature


@pytest.fixture
def validation():
    rng = np.random.default_rng(0)
    logits = rng.normal(-2, 2, size=1500).round(2)
    return logits, rng.random(1500) < expit(-0.5 + 0.6 * logits)


def test_platt_agrees_with_scikit_learn(validation):
    logits, present = validation
    m, n = present.sum(), (~present).sum()
    targets = np.where(present, (m + 1) / (m + 2), 1 / (n + 2))
    theirs = LogisticRegression(C=np.inf, tol=1e-10).fit(
        np.tile(logits, 2)[:, None],
        np.repeat([1, 0], len(logits)),
        sample_weight=np.concatenate([targets, 1 - targets]),
    )
    ours = fit_platt(logits, present)
    assert (ours.slope, ours.intercept) == pytest.approx((theirs.coef_[0, 0], theirs.intercept_[0]), abs=1e-3)
    np.testing.assert_allclose(ours(logits), expit(ours.slope * logits + ours.intercept))


def test_platt_stays_finite_where_the_classes_are_separated():
    fitted = fit_platt([-2.0, -1.0, 1.0, 2.0], [0, 0, 1, 1])
    assert 0 < fitted.slope < 10


def test_platt_fits_logits_far_from_zero():
    near, present = np.linspace(-1, 1, 30), np.arange(30) == 20
    fitted, far = fit_platt(near, present), fit_platt(80 * near - 100, present)
    assert far(80 * near - 100) == pytest.approx(fitted(near))


def test_temperature_minimises_the_log_loss(validation):
    logits, present = validation
    best = minimize_scalar(lambda t: metrics.log_loss(present, expit(logits / t)), bounds=(0.1, 10), method="bounded")
    assert 1 / fit_temperature(logits, present).slope == pytest.approx(best.x, abs=1e-4)


def test_temperature_keeps_even_odds():
    rng = np.random.default_rng(1)
    logits = rng.normal(size=300)
    assert fit_temperature(logits, rng.random(300) < expit(logits))(0.0) == 0.5


def test_temperature_of_separated_classes_is_refused():
    with pytest.raises(ValueError, match="use Platt"):
        fit_temperature([-2.0, -1.0, 1.0, 2.0], [0, 0, 1, 1])


def test_isotonic_agrees_with_scikit_learn(validation):
    logits, present = validation
    theirs = IsotonicRegression(out_of_bounds="clip").fit(logits, present)
    new = np.linspace(-12, 8, 400)
    np.testing.assert_allclose(fit_isotonic(logits, present)(new), theirs.predict(new), atol=1e-12)


def test_isotonic_keeps_few_knots(validation):
    fitted = fit_isotonic(*validation)
    assert len(fitted.logits) < 200
    assert (np.diff(fitted.probabilities) >= 0).all()


@pytest.mark.parametrize("fit", [fit_platt, fit_temperature, fit_isotonic])
def test_constant_logits_are_refused(fit):
    with pytest.raises(ValueError, match=r"all 4 logits are 0\.3"):
        fit([0.3] * 4, [0, 1, 0, 1])


@pytest.mark.parametrize("fit", [fit_platt, fit_temperature, fit_isotonic])
def test_absent_class_is_refused(fit):
    with pytest.raises(ValueError, match="got 0 present, 3 absent"):
        fit([0.1, 0.2, 0.3], [0, 0, 0])


def test_logits_that_rank_backwards_have_no_temperature():
    """A negative slope would turn the order of the images round."""
    logits = np.linspace(-2, 2, 40)
    present = np.random.default_rng(0).random(40) < expit(-2 * logits)
    with pytest.raises(ValueError, match=r"would be -\d"):
        fit_temperature(logits, present)
