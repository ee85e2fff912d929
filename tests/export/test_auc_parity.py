"""What an export costs in AUC, on a known loss."""

from types import SimpleNamespace

import numpy as np
import pytest

from cxrbench.errors import BundleError
from cxrbench.export.auc_parity import check_loss, check_same, measure_aucs
from cxrbench.predict.exported import AucLoss, AucParity
from cxrbench.stats.roc import auc

FINDINGS = ("Mass", "Effusion", "Hernia", "No Finding")
N = 400


def measured(noise):
    """An export whose logits are the run's and noise, on 400 films of 200 patients; Hernia is in one film."""
    rng = np.random.default_rng(0)
    labels = (rng.random((N, len(FINDINGS))) < 0.3).astype(np.float32)
    labels[:, 2] = 0
    labels[0, 2] = 1
    logits = (labels * 1.2 + rng.normal(size=labels.shape)).astype(np.float32)
    labels[:7, 0] = np.nan
    found = logits + noise * rng.normal(size=labels.shape).astype(np.float32)
    own = SimpleNamespace(
        told=SimpleNamespace(
            test=SimpleNamespace(labels=labels, codes=np.repeat(np.arange(N // 2), 2), pathologies=FINDINGS[:-1])
        ),
        test_logits=lambda exported, has_preprocessing: found,
        run_logits=lambda findings: logits,
        columns=lambda findings: list(range(len(findings))),
    )
    return (*measure_aucs(own, None, has_preprocessing=False, findings=FINDINGS), labels, logits, found)


def test_the_loss_is_the_difference_of_the_aucs():
    aucs, loss, labels, logits, found = measured(0.8)
    assert [one.finding for one in aucs] == list(FINDINGS)
    assert aucs[0].images == N - 7
    expected = []
    for column in (0, 1):  # of Hernia there is no interval, "No Finding" is no pathology
        stated = labels[:, column] >= 0
        present = labels[stated, column] == 1
        expected.append(auc(logits[stated, column], present) - auc(found[stated, column], present))
        assert aucs[column].torch - aucs[column].exported == pytest.approx(expected[-1])
        assert aucs[column].loss_lower < expected[-1] < aucs[column].loss_upper
    assert aucs[2].loss_upper is None
    assert loss.findings == ("Mass", "Effusion")
    assert loss.loss == pytest.approx(np.mean(expected))
    assert 0 < loss.lower < loss.loss < loss.upper


def test_the_upper_end_of_the_interval_counts():
    _, loss, *_ = measured(0.8)
    check_loss(loss, "official", bound=loss.upper + 1e-6)
    with pytest.raises(BundleError, match=rf"int8 may cost {loss.upper:.4f} of the mean AUC over 2 findings"):
        check_loss(loss, "official", bound=(loss.loss + loss.upper) / 2)


def test_the_same_logits_cost_nothing():
    aucs, loss, *_ = measured(0.0)
    assert (loss.loss, loss.upper) == (0, 0)
    check_loss(loss, "official", bound=0.0)
    check_same(aucs, "official")


def test_without_an_interval_only_any_loss_passes():
    nothing = AucLoss(findings=(), loss=None, lower=None, upper=None)
    check_loss(nothing, "official", bound=1.0)
    with pytest.raises(BundleError, match="official: no finding has the test patients to show what int8 costs"):
        check_loss(nothing, "official", bound=0.5)


def test_pairs_that_are_all_but_tied_may_be_exchanged():
    """With few films one pair is more than the bound."""
    aucs, _, labels, logits, _ = measured(0.0)
    present = labels[:, 1] == 1
    reach = 1e-4 * np.maximum(np.abs(logits[:, 1].astype(float)), 1)
    gaps = np.abs(logits[present, 1, None].astype(float) - logits[~present, 1])
    expected = np.mean(gaps < reach[present, None] + reach[~present])
    assert aucs[1].near_ties == pytest.approx(expected)
    assert expected > 0
    moved = AucParity(finding="Mass", images=9, torch=0.8, exported=0.782, near_ties=0.018)
    check_same((moved,), "official")
    with pytest.raises(BundleError, match=r"0\.7800, its run's 0\.8000, more than 0\.019 apart"):
        check_same((moved.model_copy(update={"exported": 0.78}),), "official")


def test_another_auc_in_full_precision_is_refused():
    with pytest.raises(BundleError, match=r"AUC of Mass on official is 0\.7980, its run's 0\.8000"):
        check_same((AucParity(finding="Mass", images=9, torch=0.8, exported=0.798),), "official")
