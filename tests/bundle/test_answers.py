"""Logits to probabilities, decisions and percentiles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from cxrbench.bundle.answers import is_present, mean_probability, percentiles, quantiles_of
from cxrbench.bundle.record import Calibration, Decision, Member

FINDINGS = ("Mass", "Hernia")


def member(**calibrations):
    """A member of which only the calibrations matter."""
    return Member.model_construct(calibrations=calibrations)


EVENLY = tuple(np.linspace(0, 1, 101))


def decision(quantiles=EVENLY, threshold=0.5):
    return Decision(threshold=threshold, quantiles=quantiles, reason=None if threshold else "none")


def test_the_mean_of_the_members_calibrated_probabilities():
    members = [
        member(Mass=Calibration(slope=2, intercept=-1), Hernia=Calibration(reason="rare")),
        member(Mass=Calibration(slope=0.5), Hernia=Calibration(slope=3, intercept=1)),
    ]
    logits = np.array([[[0.3, -2.0]], [[1.2, 0.4]]])  # (M, N, L)
    expected = [(expit(2 * 0.3 - 1) + expit(0.6)) / 2, (expit(-2) + expit(3 * 0.4 + 1)) / 2]
    assert mean_probability(members, FINDINGS, logits)[0] == pytest.approx(expected)


def test_logits_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"need shape \(1, N, 2\); got \(2, 5, 2\)"):
        mean_probability([member()], FINDINGS, np.zeros((2, 5, 2)))


def test_the_threshold_itself_counts_as_present():
    decisions = {"Mass": decision(threshold=0.25), "Hernia": decision(threshold=None)}
    assert is_present(np.array([[0.25, 0.9], [0.2499, 0.9]]), FINDINGS, decisions) == [(True, None), (False, None)]


@given(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=300))
def test_percentiles_lie_where_the_validation_part_has_them(values):
    sample = np.array(values)
    decisions = {"Mass": decision(quantiles_of(sample)), "Hernia": decision()}
    asked = np.stack([sample, sample], axis=1)
    found = percentiles(asked, FINDINGS, decisions)[:, 0]
    assert (np.diff(found[np.argsort(sample, kind="stable")]) >= -1e-9).all()
    # With 101 quantiles a place is known to about one percent, or to the spacing of a small sample.
    below, upto = ((sample[None] < sample[:, None]).mean(axis=1), (sample[None] <= sample[:, None]).mean(axis=1))
    slack = 1 + 100 / (len(sample) - 1)
    assert (found >= 100 * below - slack).all()
    assert (found <= 100 * upto + slack).all()


def test_beyond_the_validation_part_are_0_and_100():
    decisions = {"Mass": decision(tuple(np.linspace(0.2, 0.6, 101))), "Hernia": decision(tuple([0.1] * 101))}
    found = percentiles(np.array([[0.1, 0.1], [0.9, 0.2], [0.4, 0.05]]), FINDINGS, decisions)
    assert found.tolist() == [[0, 50], [100, 100], [pytest.approx(50), 0]]
