import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics

from cxrbench.stats.roc import auc, aucs, count_ties, roc_curve


def pairwise_auc(scores, present):
    """The definition: the share of (present, absent) pairs in the right order, ties one half."""
    wins = scores[present][:, None] - scores[~present][None, :]
    return ((wins > 0) + 0.5 * (wins == 0)).mean()


@pytest.mark.parametrize("decimals", [0, 1, 8], ids=["mostly ties", "many ties", "no ties"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_auc_agrees_with_the_definition_and_scikit_learn(decimals, dtype):
    rng = np.random.default_rng(0)
    scores, present = rng.normal(size=500).round(decimals).astype(dtype), rng.random(500) < 0.2
    assert auc(scores, present) == pytest.approx(pairwise_auc(scores, present), abs=1e-12)
    assert auc(scores, present) == pytest.approx(metrics.roc_auc_score(present, scores), abs=1e-12)


scores_and_labels = st.integers(2, 40).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float32, n, elements=st.floats(-(2.0**99), 2.0**99, width=32)),
        hnp.arrays(np.bool_, n).filter(lambda y: 0 < y.sum() < len(y)),
    )
)


@given(scores_and_labels)
def test_auc_of_any_float32_scores(drawn):
    scores, present = drawn
    assert auc(scores, present) == pytest.approx(pairwise_auc(scores.astype(float), present), abs=1e-12)


@given(scores_and_labels)
def test_swapping_the_classes_mirrors_the_auc(drawn):
    scores, present = drawn
    assert auc(scores, present) + auc(scores, ~present) == pytest.approx(1, abs=1e-12)


def test_negative_zero_ties_with_zero():
    assert auc(np.array([0.0, -0.0], np.float32), [1, 0]) == 0.5


def test_integer_labels_and_scores():
    assert auc([3, 1, 2, 0], [1, 0, 1, 0]) == 1.0


@given(scores_and_labels)
def test_curve_has_the_points_of_scikit_learn(drawn):
    scores, present = drawn
    expected = metrics.roc_curve(present, scores, drop_intermediate=False)
    for ours, theirs in zip(roc_curve(scores, present), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_area_under_the_curve_is_the_auc():
    rng = np.random.default_rng(1)
    scores, present = rng.normal(size=300).round(1), rng.random(300) < 0.3
    fpr, tpr, _ = roc_curve(scores, present)
    assert np.trapezoid(tpr, fpr) == pytest.approx(auc(scores, present), abs=1e-12)


@pytest.mark.parametrize("function", [auc, roc_curve])
def test_absent_class_says_how_many(function):
    with pytest.raises(ValueError, match="got 0 present, 4 absent"):
        function(np.arange(4.0), np.zeros(4))


def test_missing_label_is_named():
    with pytest.raises(ValueError, match="row 2 is nan"):
        auc(np.arange(4.0), np.array([1, 0, np.nan, 0]))


def test_missing_score_is_named():
    with pytest.raises(ValueError, match="row 1 is NaN"):
        auc(np.array([0.1, np.nan, 0.3]), [1, 0, 1])


def test_lengths_must_agree():
    with pytest.raises(ValueError, match=r"\(3,\) and \(2,\)"):
        auc([0.1, 0.2, 0.3], [1, 0])


def test_ties_and_clipped_scores_are_counted():
    rng = np.random.default_rng(2)
    scores, present = rng.normal(0.5, 0.5, 200).clip(0, 1).round(2), rng.random(200) < 0.3
    found = count_ties(scores, present)
    values, counts = np.unique(scores, return_counts=True)
    assert (found.images, found.distinct, found.tied_images) == (200, len(values), counts[counts > 1].sum())
    assert (found.at_lowest, found.at_highest) == ((scores == 0).sum(), (scores == 1).sum())
    assert found.tied_pairs == pytest.approx((scores[present][:, None] == scores[~present]).mean())


def test_breaking_ties_moves_the_auc_by_half_of_the_tied_pairs_at_most():
    rng = np.random.default_rng(3)
    scores, present = rng.normal(size=300).round(1), rng.random(300) < 0.4
    in_favour = scores + np.where(present, 1e-3, 0)
    assert auc(in_favour, present) - auc(scores, present) == pytest.approx(count_ties(scores, present).tied_pairs / 2)


def test_one_image_at_each_end_is_not_clipped():
    found = count_ties([0.0, 0.4, 0.6, 1.0], [0, 1, 0, 1])
    assert (found.at_lowest, found.at_highest, found.tied_images, found.tied_pairs) == (0, 0, 0, 0)


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_table_has_the_aucs_of_its_columns(order):
    rng = np.random.default_rng(4)
    present = (rng.random((200, 3)) < 0.3).astype(float)
    scores = np.asarray(rng.normal(size=(200, 6)).astype(np.float32), order=order)
    present[:40, 1] = np.nan
    present[:, 2] = 0
    found = aucs(scores, present)
    for k in (0, 1, 3, 4):
        stated = ~np.isnan(present[:, k % 3])
        assert found[k] == pytest.approx(metrics.roc_auc_score(present[stated, k % 3], scores[stated, k]))
    assert np.isnan(found[[2, 5]]).all()


def test_a_table_that_does_not_fit_is_shown():
    with pytest.raises(ValueError, match=r"got \(4, 3\) and \(4, 2\)"):
        aucs(np.zeros((4, 3)), np.zeros((4, 2)))
