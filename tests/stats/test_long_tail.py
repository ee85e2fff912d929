"""Macro averages against scikit-learn, their intervals against redrawn patients."""

import numpy as np
import pytest
from sklearn import metrics

from cxrbench.stats.bootstrap import resample_patients
from cxrbench.stats.long_tail import MACRO, by_frequency, macro_averages


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(0)
    patients = np.sort(rng.integers(300, size=1200))
    present = (rng.random((1200, 5)) < [0.4, 0.3, 0.15, 0.08, 0.05]).astype(float)
    logits = rng.normal(size=(1200, 5)) + 0.4 * rng.normal(size=(300, 5))[patients] + 1.5 * present - 0.7
    return 1 / (1 + np.exp(-logits)), present, patients


GROUPS = {"head": [0, 1], "tail": [2, 3, 4]}


def test_averages_are_scikit_learns(drawn):
    scores, present, patients = drawn
    found = macro_averages(scores, present, patients, groups=GROUPS)
    for name, columns in {MACRO: range(5), **GROUPS}.items():
        y, p = present[:, list(columns)], scores[:, list(columns)]
        assert found[name].average_precision.estimate == pytest.approx(metrics.average_precision_score(y, p))
        assert found[name].auc.estimate == pytest.approx(metrics.roc_auc_score(y, p))
        assert found[name].f1.estimate == pytest.approx(metrics.f1_score(y, p >= 0.5, average="macro"))
        assert found[name].findings == len(columns)


def test_intervals_are_near_those_of_redrawn_patients(drawn):
    scores, present, patients = drawn
    found = macro_averages(scores, present, patients)[MACRO]
    draws = resample_patients(patients, replicates=150, seed=1)
    values = []
    for often in draws.multiplicities.T:
        rows = np.repeat(np.arange(1200), often[draws.code])
        y, p = present[rows], scores[rows]
        values.append([
            metrics.average_precision_score(y, p), metrics.roc_auc_score(y, p),
            metrics.f1_score(y, p >= 0.5, average="macro"),
        ])  # fmt: skip
    for one, deviation in zip((found.average_precision, found.auc, found.f1), np.std(values, axis=0), strict=True):
        assert one.std_error == pytest.approx(deviation, rel=0.25)
        assert one.lower < one.estimate < one.upper


def test_labels_that_are_not_stated_leave_their_column_only(drawn):
    scores, present, patients = drawn
    partial = present.copy()
    partial[:200, 0] = np.nan
    found = macro_averages(scores, partial, patients, groups={"first": [0]})["first"]
    assert found.auc.estimate == pytest.approx(metrics.roc_auc_score(present[200:, 0], scores[200:, 0]))


def test_a_finding_without_both_classes_is_left_out(drawn):
    scores, present, patients = drawn
    none = present * [1, 1, 0, 1, 1]
    found = macro_averages(scores, none, patients, groups={"absent": [2]})
    assert found[MACRO].findings == 4
    assert "absent" not in found


def test_a_rare_finding_takes_the_interval_from_the_mean(drawn):
    scores, present, patients = drawn
    rare = present.copy()
    rare[:, 4] = np.isin(np.arange(1200), np.flatnonzero(np.diff(patients, prepend=-1))[:3])
    found = macro_averages(scores, rare, patients)[MACRO]
    assert np.isfinite(found.auc.estimate)
    assert (found.auc.reason, np.isnan(found.auc.lower)) == ("3 positive patients; an interval needs 5", True)


def test_groups_by_frequency():
    assert by_frequency([5000, 900, 40, 1000, 99, 100], head=999, tail=100) == {
        "head": [0, 3],
        "medium": [1, 5],
        "tail": [2, 4],
    }
    with pytest.raises(ValueError, match="tail 5, head 2"):
        by_frequency([1], head=2, tail=5)


def test_bad_tables_are_shown(drawn):
    scores, present, patients = drawn
    with pytest.raises(ValueError, match=r"got \(1200, 5\) for \(1200, 1\)"):
        macro_averages(scores, present[:, :1], patients)
    with pytest.raises(ValueError, match="choose another name"):
        macro_averages(scores, present, patients, groups={MACRO: [0]})
