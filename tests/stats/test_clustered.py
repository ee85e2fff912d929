import numpy as np
import pytest
from scipy import stats

from cxrbench.stats.clustered import auc_difference, auc_estimate, difference_covariance, smallest_detectable
from cxrbench.stats.joint import joint_aucs


def draw(rng, *, n=600, models=2, labels=2, patients=150, prevalence=0.3):
    present = (rng.random((n, labels)) < prevalence).astype(float)
    scores = rng.normal(size=(n, models * labels)) + np.tile(present, models)
    return scores, present, rng.integers(patients, size=n)


@pytest.fixture(scope="module")
def joint():
    return joint_aucs(*draw(np.random.default_rng(0)))


def test_standard_error_is_the_root_of_the_variance(joint):
    result = auc_estimate(joint, 1)
    assert result.estimate == joint.auc[1]
    assert result.std_error == pytest.approx(np.sqrt(joint.covariance[1, 1]))
    assert result.lower < result.estimate < result.upper
    assert result.reason is None


def test_one_image_per_patient_is_welch_on_the_logit_scale():
    scores, present, _ = draw(np.random.default_rng(1), models=1, labels=1, n=80)
    joint = joint_aucs(scores, present, np.arange(80))
    result = auc_estimate(joint, 0)
    m, n = int(present.sum()), int(80 - present.sum())
    positive, negative = joint.positive[0, 0], joint.negative[0, 0]
    df = (positive + negative) ** 2 / (positive**2 / (m - 1) + negative**2 / (n - 1))
    half = stats.t.ppf(0.975, df) * result.std_error / (result.estimate * (1 - result.estimate))
    centre = np.log(result.estimate / (1 - result.estimate))
    assert result.df == pytest.approx(df)
    assert result.inflation == pytest.approx(1)
    assert np.log(result.upper / (1 - result.upper)) == pytest.approx(centre + half)
    assert np.log(result.lower / (1 - result.lower)) == pytest.approx(centre - half)


def test_mean_follows_from_the_joint_covariance(joint):
    result = auc_estimate(joint, [0, 1])
    assert result.estimate == pytest.approx(joint.auc[:2].mean())
    assert result.std_error == pytest.approx(np.sqrt(joint.covariance[:2, :2].sum()) / 2)
    assert result.n_columns == 2


def test_difference_follows_from_the_joint_covariance(joint):
    result = auc_difference(joint, 0, 2)
    c = joint.covariance
    assert result.estimate == pytest.approx(joint.auc[0] - joint.auc[2])
    assert result.std_error == pytest.approx(np.sqrt(c[0, 0] + c[2, 2] - 2 * c[0, 2]))
    assert result.p_value == pytest.approx(2 * stats.t.sf(abs(result.estimate) / result.std_error, result.df))


def test_difference_of_means_is_the_mean_of_differences(joint):
    both = auc_difference(joint, [0, 1], [2, 3])
    each = [auc_difference(joint, 0, 2), auc_difference(joint, 1, 3)]
    assert both.estimate == pytest.approx(np.mean([d.estimate for d in each]))
    assert both.n_columns == 2


def test_swapping_models_mirrors_the_difference(joint):
    one, other = auc_difference(joint, 0, 2), auc_difference(joint, 2, 0)
    assert (one.lower, one.upper, one.p_value) == pytest.approx((-other.upper, -other.lower, other.p_value))


def test_copies_of_images_add_nothing():
    """Ten copies of each image of a patient carry the information of one."""
    scores, present, _ = draw(np.random.default_rng(2), models=1, labels=1, n=100)
    once = auc_estimate(joint_aucs(scores, present, np.arange(100)), 0)
    copies = auc_estimate(joint_aucs(*(np.repeat(a, 10, axis=0) for a in (scores, present, np.arange(100)))), 0)
    assert (copies.std_error, copies.df) == pytest.approx((once.std_error, once.df))
    assert copies.inflation == pytest.approx(10, rel=0.05)


def test_support_is_that_of_the_rarest_finding():
    scores, present, patients = draw(np.random.default_rng(3), models=1)
    present[:, 1] = 0
    present[:12, 1] = 1
    result = auc_estimate(joint_aucs(scores, present, patients), [0, 1])
    assert (result.positives, result.positive_patients) == (12, len(np.unique(patients[:12])))


@pytest.mark.parametrize("n_patients", [4, 5])
def test_interval_needs_five_positive_patients(n_patients):
    scores, present, _ = draw(np.random.default_rng(4), models=2, labels=1)
    present[:] = 0
    present[: 3 * n_patients] = 1
    joint = joint_aucs(scores, present, np.arange(600) // 3)
    for result in (auc_estimate(joint, 0), auc_difference(joint, 0, 1)):
        assert np.isfinite(result.estimate)
        assert np.isfinite(result.lower) == (n_patients == 5)
        assert result.reason == (None if n_patients == 5 else "4 positive patients; an interval needs 5")


def test_few_negative_patients_are_a_reason_too():
    scores, present, _ = draw(np.random.default_rng(5), models=1, labels=1)
    present[:] = 1
    present[:9] = 0
    assert auc_estimate(joint_aucs(scores, present, np.arange(600) // 3), 0).reason == (
        "3 negative patients; an interval needs 5"
    )


def test_absent_class_is_left_out_of_the_mean():
    scores, present, patients = draw(np.random.default_rng(6), labels=3)
    joint = joint_aucs(scores, present * [1, 0, 1], patients)
    assert auc_estimate(joint, [0, 1, 2]) == auc_estimate(joint, [0, 2])
    assert auc_difference(joint, [0, 1, 2], [3, 4, 5]) == auc_difference(joint, [0, 2], [3, 5])
    alone = auc_estimate(joint, 1)
    assert np.isnan(alone.estimate)
    assert (alone.n_columns, alone.reason) == (0, "no images of both classes")


def test_perfect_separation_has_no_interval():
    present = np.repeat([[0.0], [1.0]], 30, axis=0)
    result = auc_estimate(joint_aucs(present, present, np.arange(60)), 0)
    assert (result.estimate, result.reason) == (1, "an AUC of 1, whose placements do not vary")
    assert np.isnan(result.lower)


def test_model_does_not_differ_from_itself():
    scores, present, patients = draw(np.random.default_rng(7), models=1, n=617)
    result = auc_difference(joint_aucs(np.hstack([scores, scores]), present, patients), 0, 2)
    assert (result.estimate, result.lower, result.upper, result.p_value) == (0, 0, 0, 1)


def test_subgroups_that_share_patients_are_compared_jointly():
    rng = np.random.default_rng(8)
    scores, present, patients = draw(rng, models=1, labels=1)
    is_frontal = rng.random(600) < 0.5
    by_group = np.where(np.stack([is_frontal, ~is_frontal], axis=1), present, np.nan)
    joint = joint_aucs(np.hstack([scores, scores]), by_group, patients)
    gap = auc_difference(joint, 0, 1)
    c = joint.covariance
    assert c[0, 1] != 0
    assert gap.std_error == pytest.approx(np.sqrt(c[0, 0] + c[1, 1] - 2 * c[0, 1]))


def test_covariance_of_differences_holds_their_variances_and_what_they_share(joint):
    pairs = [(0, 2), (1, 3), ([0, 1], [2, 3])]
    covariance = difference_covariance(joint, pairs)
    expected = [auc_difference(joint, *pair).std_error ** 2 for pair in pairs]
    np.testing.assert_allclose(np.diag(covariance), expected)
    assert covariance[0, 2] == pytest.approx((covariance[0, 0] + covariance[0, 1]) / 2)


def test_smallest_detectable_difference_is_found_with_the_power_asked_for():
    difference = smallest_detectable(0.01, 1e6)
    noise = stats.norm(difference, 0.01)
    assert noise.sf(stats.norm.ppf(0.975) * 0.01) == pytest.approx(0.8, abs=1e-4)


def test_p_does_not_depend_on_the_interval():
    """Few patients of unequal weight, where Student's t of one confidence would not do for another."""
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(60), np.r_[np.full(3, 12), np.ones(57, int)])
    present = (patients < 12).astype(float)
    scores = rng.normal(size=(len(patients), 2)) + present[:, None]
    joint = joint_aucs(scores, present[:, None], patients)
    found = {confidence: auc_difference(joint, 0, 1, confidence=confidence) for confidence in (0.5, 0.95, 0.999)}
    assert len({one.p_value for one in found.values()}) == 1
    p = found[0.95].p_value
    edge = auc_difference(joint, 0, 1, confidence=1 - p)
    assert min(abs(edge.lower), abs(edge.upper)) == pytest.approx(0, abs=1e-6)  # the interval at 1 - p just reaches 0


def test_a_patient_with_most_of_a_class_leaves_no_interval():
    rng = np.random.default_rng(1)
    patients = np.r_[np.zeros(20, int), np.arange(1, 80)]
    present = (np.arange(99) < 30).astype(float)
    joint = joint_aucs(rng.normal(size=(99, 2)) + present[:, None], present[:, None], patients)
    assert (
        auc_estimate(joint, 0).reason == "one patient has 67% of the positive images; an interval needs more of others"
    )
    assert np.isnan(auc_difference(joint, 0, 1).p_value)


@pytest.mark.parametrize("kind", ["constant", "perfect"])
def test_a_mean_has_no_interval_where_one_of_its_findings_has_none(kind):
    """Such a finding would enter with variance zero, as if it were known exactly."""
    scores, present, patients = draw(np.random.default_rng(9), models=2)
    scores[:, [1, 3]] = 0.5 if kind == "constant" else present[:, [1]]
    scores[:, 3] = 0.5
    joint = joint_aucs(scores, present, patients)
    assert auc_estimate(joint, 1).reason == f"an AUC of {joint.auc[1]:g}, whose placements do not vary"
    mean = auc_estimate(joint, [0, 1])
    assert np.isfinite(mean.estimate)
    assert (mean.reason, np.isnan(mean.lower)) == (auc_estimate(joint, 1).reason, True)
    difference = auc_difference(joint, [0, 1], [2, 3])
    assert (difference.reason is None) == (kind == "constant")  # two constant columns are equal beyond doubt
