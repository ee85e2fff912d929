import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrbench.stats.joint import joint_aucs, joint_group_aucs
from cxrbench.stats.roc import auc


def kernel(scores, present):
    """Order of each (positive, negative) pair (m, n): 1 right, 0 wrong, one half tied."""
    positive, negative = scores[present], scores[~present]
    return (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)


def delong(first, second, present):
    """DeLong's covariance of two AUCs, from the definition."""
    a, b = kernel(first, present), kernel(second, present)
    m, n = a.shape
    return np.cov(a.mean(1), b.mean(1))[0, 1] / m + np.cov(a.mean(0), b.mean(0))[0, 1] / n


def obuchowski(first, second, present, patients):
    """Obuchowski's covariance of two AUCs, patient by patient as in the paper."""
    a, b = kernel(first, present), kernel(second, present)
    (m, n), everyone = a.shape, np.unique(patients)
    of_positive, of_negative = patients[present], patients[~present]
    s10 = s01 = s11 = 0.0
    for patient in everyone:
        p, q = of_positive == patient, of_negative == patient
        a10, b10 = a.mean(1)[p].sum() - p.sum() * a.mean(), b.mean(1)[p].sum() - p.sum() * b.mean()
        a01, b01 = a.mean(0)[q].sum() - q.sum() * a.mean(), b.mean(0)[q].sum() - q.sum() * b.mean()
        s10, s01, s11 = s10 + a10 * b10, s01 + a01 * b01, s11 + a10 * b01 + a01 * b10
    i10, i01, i = len(np.unique(of_positive)), len(np.unique(of_negative)), len(everyone)
    return i10 / (i10 - 1) * s10 / m**2 + i01 / (i01 - 1) * s01 / n**2 + i / (i - 1) * s11 / (m * n)


def draw(rng, *, n=150, models=2, labels=2, patients=40, decimals=1):
    """Scores (N, models x labels) that know a little, labels (N, labels), patients (N,)."""
    present = (rng.random((n, labels)) < 0.3).astype(float)
    scores = rng.normal(size=(n, models * labels)) + np.tile(present, models)
    return scores.round(decimals), present, rng.integers(patients, size=n)


@pytest.mark.parametrize("decimals", [0, 8], ids=["ties", "no ties"])
def test_one_image_per_patient_is_delong(decimals):
    scores, present, _ = draw(np.random.default_rng(0), decimals=decimals, models=3)
    joint = joint_aucs(scores, present, np.arange(len(scores)))
    for k, other in [(0, 0), (0, 2), (3, 5), (1, 3)]:
        expected = delong(scores[:, k], scores[:, other], present[:, k % 2] == 1)
        assert joint.covariance[k, other] == pytest.approx(expected, rel=1e-12, abs=1e-15)
        assert joint.image[k, other] == pytest.approx(expected, rel=1e-12, abs=1e-15)


@given(st.integers(0, 2**32 - 1))
def test_clusters_follow_obuchowski(seed):
    scores, present, patients = draw(np.random.default_rng(seed), n=60, patients=15)
    joint = joint_aucs(scores, present, patients)
    for k, other in [(0, 0), (0, 2), (3, 3), (1, 3)]:
        expected = obuchowski(scores[:, k], scores[:, other], present[:, k % 2] == 1, patients)
        assert joint.covariance[k, other] == pytest.approx(expected, rel=1e-9, abs=1e-15)


def test_areas_are_those_of_the_columns():
    scores, present, patients = draw(np.random.default_rng(1))
    joint = joint_aucs(scores, present, patients)
    for k in range(4):
        assert joint.auc[k] == pytest.approx(auc(scores[:, k], present[:, k % 2]), abs=1e-12)


@given(st.integers(0, 2**32 - 1))
def test_covariance_is_positive_semi_definite(seed):
    joint = joint_aucs(*draw(np.random.default_rng(seed), n=80, labels=3, patients=20))
    assert np.linalg.eigvalsh(joint.covariance).min() > -1e-12


def test_unstated_labels_are_as_if_dropped():
    scores, present, patients = draw(np.random.default_rng(2), labels=1)
    unstated = np.random.default_rng(3).random(len(scores)) < 0.3
    masked = np.where(unstated[:, None], np.nan, present)
    joint, dropped = (
        joint_aucs(scores, masked, patients),
        joint_aucs(scores[~unstated], present[~unstated], patients[~unstated]),
    )
    np.testing.assert_allclose(joint.covariance, dropped.covariance, rtol=1e-12)
    np.testing.assert_allclose(joint.auc, dropped.auc, rtol=1e-12)


def test_order_of_rows_and_names_of_patients_do_not_matter():
    scores, present, patients = draw(np.random.default_rng(4))
    shuffled = np.random.default_rng(5).permutation(len(scores))
    names = np.array([f"patient {code}" for code in patients])
    joint, other = (
        joint_aucs(scores, present, patients),
        joint_aucs(scores[shuffled], present[shuffled], names[shuffled]),
    )
    np.testing.assert_allclose(joint.covariance, other.covariance, rtol=1e-9)


def test_absent_class_leaves_its_column_empty_and_the_others_alone():
    scores, present, patients = draw(np.random.default_rng(6))
    absent = present * [1, 0]
    joint, whole = joint_aucs(scores, absent, patients), joint_aucs(scores, present, patients)
    np.testing.assert_array_equal(np.isnan(joint.auc), [False, True, False, True])
    np.testing.assert_allclose(joint.covariance[::2, ::2], whole.covariance[::2, ::2])
    assert np.isnan(joint.covariance[1]).all()


@given(st.integers(0, 2**32 - 1))
def test_groups_are_labels_that_are_stated_in_them_alone(seed):
    """Two models, two labels; three groups, of which the first two share patients, and the third is all images."""
    rng = np.random.default_rng(seed)
    scores, present, patients = draw(rng, n=90)
    frontal = rng.random(90) < 0.5
    groups = [frontal, ~frontal, np.ones(90, dtype=bool)]
    joint = joint_group_aucs(scores, present, patients, groups)
    of_group = np.hstack([np.where(own[:, None], present, np.nan) for own in groups])
    whole = joint_aucs(np.hstack([np.tile(model, 3) for model in np.split(scores, 2, axis=1)]), of_group, patients)
    order = np.arange(12).reshape(2, 3, 2).transpose(1, 0, 2).ravel()  # by group first, not by model
    np.testing.assert_array_equal(joint.label, whole.label[order])
    np.testing.assert_array_equal(joint.positives.images, whole.positives.images)
    np.testing.assert_allclose(joint.auc, whole.auc[order], rtol=1e-12)
    for part in ("positive", "negative", "cross", "image"):
        ours, theirs = getattr(joint, part), getattr(whole, part)[np.ix_(order, order)]
        if part == "image":  # unknown between groups that share images
            assert np.isnan(ours[:8, 8:]).all()
            ours, theirs = ours[:8, :8], theirs[:8, :8]
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-15)


def test_odd_label_is_named():
    with pytest.raises(ValueError, match=r"labels must be 0, 1 or NaN; row 1, column 0 is 2\.0"):
        joint_aucs(np.zeros((2, 1)), [[1], [2]], [0, 1])


def test_missing_score_is_named():
    with pytest.raises(ValueError, match="scores must be numbers; row 0, column 1 is nan"):
        joint_aucs([[0.1, np.nan], [0.2, 0.3]], [[1], [0]], [0, 1])


def test_columns_must_be_models_times_labels():
    with pytest.raises(ValueError, match=r"\(4, 3\) and \(4, 2\)"):
        joint_aucs(np.zeros((4, 3)), np.zeros((4, 2)), np.arange(4))


def test_every_image_needs_a_patient():
    with pytest.raises(ValueError, match=r"got \(3,\) for 4 images"):
        joint_aucs(np.zeros((4, 1)), np.zeros((4, 1)), np.arange(3))
