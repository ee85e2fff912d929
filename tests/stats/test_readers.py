"""Reader studies against published figures, and against the definitions on invented reads."""

import csv
from itertools import product

import numpy as np
import pytest
from scipy import stats

from cxrbench.stats.joint import joint_aucs
from cxrbench.stats.reader_covariances import Covariances, read_aucs
from cxrbench.stats.readers import Chance, compare_modalities, compare_with_readers


@pytest.fixture(scope="module")
def van_dyke(shared):
    """Reads (114, 2 modalities x 5 readers) and truth: Van Dyke et al. 1993."""
    with (shared("readers") / "VanDyke.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    of = {(int(r["treatment"]), int(r["reader"]), int(r["case"])): float(r["rating"]) for r in rows}
    truth = {int(r["case"]): int(r["truth"]) for r in rows}
    cases = sorted(truth)
    reads = [[of[t, j, case] for t in (1, 2) for j in range(1, 6)] for case in cases]
    return np.array(reads), np.array([truth[case] for case in cases])


def invented(*, readers=4, modalities=2, n=90, seed=0):
    """Ratings on five steps, one image a patient."""
    rng = np.random.default_rng(seed)
    present = rng.random(n) < 0.4
    skill = rng.normal(1.2, 0.3, readers * modalities)
    common = rng.normal(size=(n, 1))
    return np.digitize(
        0.7 * common + rng.normal(size=(n, len(skill))) + skill * present[:, None], [-1, 0, 1, 2]
    ), present


def pairwise_auc(rating, present):
    wins = rating[present][:, None] - rating[~present][None, :]
    return ((wins > 0) + 0.5 * (wins == 0)).mean() if present.any() and not present.all() else np.nan


# Printed in the manual of R's MRMCaov: reader, interaction, error, Cov1, Cov2, Cov3, F, df2, p.
PUBLISHED = {
    Covariances.CLUSTERED: (
        0.0015364254, 0.0002045840, 0.0007921325, 0.0003420090, 0.0003395265, 0.0002358497, 4.484854, 15.06611,
        0.05123303,
    ),
    Covariances.UNBIASED: (
        0.0015365290, 0.0002077588, 0.0007883925, 0.0003416706, 0.0003390650, 0.0002356148, 4.489614, 15.03418,
        0.0511618,
    ),
}  # fmt: skip


@pytest.mark.parametrize("method", PUBLISHED, ids=str)
def test_van_dyke_agrees_with_the_printed_figures(van_dyke, method):
    reads, truth = van_dyke
    found = compare_modalities(read_aucs(reads, truth, np.arange(114), method=method), 2)
    c = found.components
    values = (c.reader, c.interaction, c.error, c.cov1, c.cov2, c.cov3)
    assert values == pytest.approx(PUBLISHED[method][:6], abs=6e-11)
    assert found.statistic == pytest.approx(PUBLISHED[method][6], abs=6e-7)
    assert found.df == pytest.approx((1, PUBLISHED[method][7]), abs=6e-6)
    assert found.p_value == pytest.approx(PUBLISHED[method][8], abs=6e-9)
    assert found.mean_squares[::2] == pytest.approx((0.004796171, 0.0005510306), abs=6e-10)


def test_van_dyke_intervals_are_the_printed_ones(van_dyke):
    reads, truth = van_dyke
    found = compare_modalities(read_aucs(reads, truth, np.arange(114)), 2)
    one = found.differences[0, 1]
    assert (one.estimate, one.std_error) == pytest.approx((-0.04380032, 0.0206825), abs=6e-8)
    assert (one.lower, one.upper) == pytest.approx((-0.0878671960, 0.0002665519), abs=6e-11)
    printed = [
        (0.8970370, 0.03307642, 12.59597, 0.8253461, 0.9687280),
        (0.9408374, 0.02150464, 12.56530, 0.8942155, 0.9874592),
    ]
    for mean, expected in zip(found.modalities, printed, strict=True):
        assert (mean.estimate, mean.std_error, mean.lower, mean.upper) == pytest.approx(
            (expected[0], expected[1], *expected[3:]), abs=6e-8
        )
        assert mean.df == pytest.approx(expected[2], abs=6e-6)


def test_van_dyke_with_fixed_readers_and_with_fixed_cases(van_dyke):
    reads, truth = van_dyke
    jackknife = read_aucs(reads, truth, np.arange(114), method=Covariances.JACKKNIFE)
    assert np.sqrt(np.diag(jackknife.covariance)) == pytest.approx(
        [
            0.0301255164, 0.0363753335, 0.0282594118, 0.0173388332, 0.0417201720,
            0.0221416887, 0.0298151099, 0.0297673065, 0.0007213348, 0.0262023046,
        ],
        abs=6e-11,
    )  # fmt: skip
    fixed = compare_modalities(jackknife, 2, chance=Chance.CASES)
    c = fixed.components
    assert (c.reader, c.interaction, c.error, c.cov1, c.cov2, c.cov3) == pytest.approx(
        (0.0015349993, 0.0002004025, 0.0008022883, 0.0003466137, 0.0003440748, 0.0002390284), abs=6e-11
    )
    assert (fixed.statistic, fixed.p_value) == pytest.approx((5.475953, 0.01927984), abs=6e-7)
    same_cases = compare_modalities(jackknife, 2, chance=Chance.READERS)
    assert (same_cases.statistic, same_cases.df[1], same_cases.p_value) == pytest.approx(
        (8.704, 4, 0.04195875), abs=6e-8
    )


def test_clustered_covariances_are_delongs_with_one_image_a_patient():
    reads, present = invented()
    found = read_aucs(reads, present, np.arange(len(present)))
    wins = [np.sign(np.subtract.outer(column[present], column[~present])) / 2 + 0.5 for column in reads.T]
    for a, b in product(range(8), repeat=2):
        of_positive = np.cov(wins[a].mean(axis=1), wins[b].mean(axis=1))[0, 1] / present.sum()
        of_negative = np.cov(wins[a].mean(axis=0), wins[b].mean(axis=0))[0, 1] / (~present).sum()
        assert found.covariance[a, b] == pytest.approx(of_positive + of_negative, abs=1e-15)


def test_clustered_covariances_are_those_of_the_models_aucs():
    """Readers and models are measured alike: several images a patient, and every image read."""
    reads, present = invented(n=200)
    patients = np.random.default_rng(1).integers(60, size=200)
    joint = joint_aucs(reads, present[:, None], patients)
    found = read_aucs(reads, present, patients)
    np.testing.assert_allclose(found.covariance, joint.covariance, atol=1e-15)


def test_the_jackknife_leaves_each_patient_out():
    rng = np.random.default_rng(2)
    reads, present = invented(n=80)
    reads = np.where(rng.random(reads.shape) < 0.1, np.nan, reads)  # some are missing
    patients = rng.integers(30, size=80)
    found = read_aucs(reads, present, patients, method=Covariances.JACKKNIFE)
    names = np.unique(patients)

    def auc(rows, k):
        is_read = rows & ~np.isnan(reads[:, k])
        return pairwise_auc(reads[is_read, k], present[is_read])

    without = np.array([[auc(patients != name, k) for k in range(8)] for name in names])
    n = len(names)
    np.testing.assert_allclose(found.covariance, np.cov(without.T) * (n - 1) ** 2 / n, atol=1e-14)
    np.testing.assert_allclose(found.auc, [auc(patients >= 0, k) for k in range(8)])


def test_unbiased_covariances_are_the_u_statistic():
    reads, present = invented(n=14, readers=2)
    found = read_aucs(reads, present, np.arange(14), method=Covariances.UNBIASED)
    wins = [np.sign(np.subtract.outer(column[present], column[~present])) / 2 + 0.5 for column in reads.T]
    m, n = wins[0].shape
    for a, b in product(range(4), repeat=2):
        apart = [
            wins[a][i, j] * wins[b][h, k]
            for i, h in product(range(m), repeat=2)
            for j, k in product(range(n), repeat=2)
            if i != h and j != k
        ]
        assert found.covariance[a, b] == pytest.approx(wins[a].mean() * wins[b].mean() - np.mean(apart), abs=1e-15)


def test_a_missing_read_takes_its_image_from_that_reader_alone():
    reads, present = invented(n=120)
    partial = reads.astype(float)
    partial[:30, 0] = np.nan
    found = read_aucs(partial, present, np.arange(120))
    assert found.auc[0] == pytest.approx(pairwise_auc(reads[30:, 0], present[30:]))
    assert found.auc[1] == pytest.approx(pairwise_auc(reads[:, 1], present))


def test_more_modalities_meet_the_definition():
    """Three modalities, mean squares by explicit sums."""
    reads, present = invented(modalities=3, readers=3)
    aucs = read_aucs(reads, present, np.arange(len(present)))
    found, table = compare_modalities(aucs, 3), aucs.auc.reshape(3, 3)
    c = aucs.covariance
    pairs = {"cov1": [], "cov2": [], "cov3": []}
    for (i, j), (h, k) in product(product(range(3), repeat=2), repeat=2):
        name = {(False, True): "cov1", (True, False): "cov2", (False, False): "cov3"}.get((i == h, j == k))
        if name:
            pairs[name].append(c[3 * i + j, 3 * h + k])
    for name, values in pairs.items():
        assert getattr(found.components, name) == pytest.approx(np.mean(values))
    rest = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    both = (rest**2).sum() / 4
    denominator = both + max(3 * (np.mean(pairs["cov2"]) - np.mean(pairs["cov3"])), 0)
    statistic = 3 * table.mean(axis=1).var(ddof=1) / denominator
    assert found.statistic == pytest.approx(statistic)
    assert found.p_value == pytest.approx(stats.f.sf(statistic, 2, denominator**2 / (both**2 / 4)))


def test_a_standalone_model_is_one_treatment():
    reads, present = invented(modalities=1, readers=6)
    aucs = read_aucs(reads, present, np.arange(len(present)))
    found = compare_with_readers(aucs)
    differences = aucs.auc[0] - aucs.auc[1:]
    c = aucs.covariance
    shared = np.mean([
        c[0, 0] - c[0, j] - c[0, k] + c[j, k] for j, k in product(range(1, 6), repeat=2) if j != k
    ])  # fmt: skip
    spread = differences.var(ddof=1)
    assert found.estimate == pytest.approx(differences.mean())
    assert found.std_error**2 == pytest.approx((spread + 5 * shared) / 5)
    assert found.df == pytest.approx((spread + 5 * shared) ** 2 / (spread**2 / 4))
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(found.estimate) / found.std_error, found.df))


def test_with_fixed_cases_a_model_meets_readers_in_a_t_test():
    reads, present = invented(modalities=1, readers=5)
    aucs = read_aucs(reads, present, np.arange(len(present)))
    found = compare_with_readers(aucs, chance=Chance.READERS)
    theirs = stats.ttest_1samp(aucs.auc[0] - aucs.auc[1:], 0)
    assert (found.p_value, found.df) == pytest.approx((theirs.pvalue, theirs.df))


def test_with_fixed_readers_only_cases_count():
    reads, present = invented(modalities=1, readers=5)
    aucs = read_aucs(reads, present, np.arange(len(present)))
    weights = np.array([1, *[-1 / 4] * 4])
    found = compare_with_readers(aucs, chance=Chance.CASES)
    assert found.std_error**2 == pytest.approx(weights @ aucs.covariance @ weights)
    assert np.isinf(found.df)


def test_one_reader_is_too_few():
    reads, present = invented(modalities=1, readers=2)
    aucs = read_aucs(reads, present, np.arange(len(present)))
    for compare in (compare_with_readers, lambda one: compare_modalities(one, 2)):
        with pytest.raises(ValueError, match="two readers or more; got 1"):
            compare(aucs)


def test_few_patients_have_no_interval():
    reads, present = invented(modalities=1, readers=4)
    present[:] = np.arange(len(present)) < 3
    found = compare_with_readers(read_aucs(reads, present, np.arange(len(present))))
    assert np.isfinite(found.estimate)
    assert (found.reason, np.isnan(found.p_value)) == (
        "3 patients of a class were read by everyone; an interval needs 5",
        True,
    )


def test_unbiased_covariances_refuse_clusters():
    reads, present = invented()
    with pytest.raises(ValueError, match="use the jackknife"):
        read_aucs(reads, present, np.arange(len(present)) // 2, method=Covariances.UNBIASED)


def test_unknown_label_is_shown():
    reads, _ = invented(n=5)
    with pytest.raises(ValueError, match=r"row 3 is 2"):
        read_aucs(reads, [0, 1, 1, 2, 0], np.arange(5))
