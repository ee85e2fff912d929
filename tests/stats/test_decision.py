import numpy as np
import pandas as pd
import pytest
from dcurves import dca

from cxrbench.stats.bootstrap import resample_patients
from cxrbench.stats.decision import act_on_all, net_benefit, net_benefit_replicates

THRESHOLDS = np.array([0.05, 0.2, 0.5, 0.8])


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    values = rng.beta(1, 4, 500)
    return values, rng.random(500) < values, rng.integers(100, size=500)


def test_agrees_with_dcurves(drawn):
    values, truth, _ = drawn
    frame = pd.DataFrame({"values": values, "truth": truth.astype(int)})
    theirs = dca(data=frame, outcome="truth", modelnames=["values"], thresholds=THRESHOLDS)
    theirs = theirs.set_index(["model", "threshold"])["net_benefit"]
    np.testing.assert_allclose(net_benefit(values, truth, THRESHOLDS), theirs["values"], atol=1e-12)
    np.testing.assert_allclose(act_on_all(truth.mean(), THRESHOLDS), theirs["all"], atol=1e-12)


def test_replicates_are_those_built_by_hand(drawn):
    values, truth, patients = drawn
    resamples = resample_patients(patients, replicates=80, seed=1)
    replicates = []
    for b in range(80):
        rows = np.repeat(np.arange(500), resamples.multiplicities[resamples.code, b])
        replicates.append(net_benefit(values[rows], truth[rows], THRESHOLDS))
    ours = net_benefit_replicates(values, truth, resamples, thresholds=THRESHOLDS)
    np.testing.assert_allclose(ours, replicates, atol=1e-12)


def test_perfect_model_is_worth_the_prevalence():
    np.testing.assert_allclose(net_benefit([1.0, 0.0, 0.0, 1.0], [1, 0, 0, 1], THRESHOLDS), 0.5)


def test_threshold_of_one_has_no_odds():
    with pytest.raises(ValueError, match=r"got \[1\.0\]"):
        net_benefit([0.1, 0.9], [0, 1], 1.0)
