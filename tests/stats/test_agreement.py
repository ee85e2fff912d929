"""Coefficients of agreement against scikit-learn, statsmodels, a published example and the definitions."""

from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from cxrbench.stats.agreement import (
    Coefficient,
    Distance,
    agreement,
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
    leave_one_out_consensus,
)

NAN = np.nan
# Krippendorff 2011, "Computing Krippendorff's alpha-reliability", part C: twelve units, four observers.
EXAMPLE = np.array([
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
    [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
]).T  # fmt: skip


@pytest.fixture
def reads():
    rng = np.random.default_rng(0)
    severity = rng.normal(size=(150, 1))
    return np.digitize(severity + 0.8 * rng.normal(size=(150, 4)), [-0.5, 0.5, 1.2]).astype(float)


@pytest.mark.parametrize(
    ("distance", "weights"),
    [(Distance.NOMINAL, None), (Distance.LINEAR, "linear"), (Distance.QUADRATIC, "quadratic")],
    ids=str,
)
def test_cohen_agrees_with_scikit_learn(reads, distance, weights):
    pair = reads[:, :2]
    assert cohen_kappa(pair, distance=distance) == pytest.approx(cohen_kappa_score(*pair.T, weights=weights))


def test_cohen_leaves_out_images_that_one_did_not_read(reads):
    partial = reads[:, :2].copy()
    partial[:20, 0] = NAN
    assert cohen_kappa(partial) == pytest.approx(cohen_kappa_score(*reads[20:, :2].T))


def test_fleiss_agrees_with_statsmodels(reads):
    rater = pytest.importorskip("statsmodels.stats.inter_rater")
    table, _ = rater.aggregate_raters(reads)
    assert fleiss_kappa(reads) == pytest.approx(rater.fleiss_kappa(table))


def test_fleiss_by_its_definition(reads):
    votes = np.array([[(row == c).sum() for c in range(4)] for row in reads])
    found = np.mean((votes * (votes - 1)).sum(axis=1) / 12)
    chance = ((votes.sum(axis=0) / votes.sum()) ** 2).sum()
    assert fleiss_kappa(reads) == pytest.approx((found - chance) / (1 - chance))


@pytest.mark.parametrize(
    ("distance", "published"),
    [(Distance.NOMINAL, 0.743), (Distance.ORDINAL, 0.815), (Distance.QUADRATIC, 0.849)],
    ids=str,
)
def test_alpha_is_the_published_one(distance, published):
    assert krippendorff_alpha(EXAMPLE, distance=distance) == pytest.approx(published, abs=5e-4)


def brute_alpha(reads, delta):
    """The definition: observed over expected disagreement, by explicit pairs."""
    units = [row[~np.isnan(row)] for row in reads]
    units = [unit for unit in units if len(unit) > 1]
    values = np.concatenate(units)
    observed = sum(sum(delta(a, b) for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in units) / len(values)
    expected = sum(delta(a, b) for a, b in permutations(values, 2)) / (len(values) * (len(values) - 1))
    return 1 - observed / expected


@pytest.mark.parametrize(
    ("distance", "delta"),
    [
        (Distance.NOMINAL, lambda a, b: float(a != b)),
        (Distance.LINEAR, lambda a, b: abs(a - b)),
        (Distance.QUADRATIC, lambda a, b: (a - b) ** 2),
    ],
    ids=["nominal", "linear", "interval"],
)
def test_alpha_by_its_definition(reads, distance, delta):
    partial = np.where(np.random.default_rng(1).random(reads.shape) < 0.3, NAN, reads)[:60]
    assert krippendorff_alpha(partial, distance=distance) == pytest.approx(brute_alpha(partial, delta))


@pytest.mark.parametrize("coefficient", list(Coefficient), ids=str)
def test_the_interval_is_that_of_redrawn_patients(reads, coefficient):
    readers = 2 if coefficient is Coefficient.COHEN else 4
    patients = np.random.default_rng(2).integers(60, size=len(reads))
    found = agreement(reads[:, :readers], patients, coefficient, replicates=400, seed=3)
    of_sample = {"cohen": cohen_kappa, "fleiss": fleiss_kappa, "krippendorff": krippendorff_alpha}[coefficient]
    assert found.estimate == pytest.approx(of_sample(reads[:, :readers]))
    rng, names = np.random.default_rng(4), np.unique(patients)
    drawn = []
    for _ in range(400):
        rows = np.concatenate([np.flatnonzero(patients == name) for name in rng.choice(names, len(names))])
        drawn.append(of_sample(reads[rows, :readers]))
    assert (found.lower, found.upper) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.025)
    assert (found.images, found.patients) == (150, len(names))


def test_reads_of_one_category_have_no_kappa():
    found = agreement(np.ones((20, 2)), np.arange(20), Coefficient.COHEN)
    assert np.isnan(found.estimate)
    assert found.reason == "all reads are of one category"


def test_few_patients_have_no_interval(reads):
    found = agreement(reads, np.arange(150) % 4, Coefficient.FLEISS)
    assert (found.reason, np.isnan(found.lower)) == ("4 patients; an interval needs 5", True)


def test_consensus_leaves_the_reader_out():
    reads = [[1, 1, 0, 0], [1, 0, 0, 0], [1, NAN, NAN, NAN], [1, 1, NAN, 0]]
    np.testing.assert_array_equal(
        leave_one_out_consensus(reads),
        [[0, 0, 1, 1], [0, 0, 0, 0], [NAN, 1, 1, 1], [NAN, NAN, 1, 1]],
    )
    np.testing.assert_array_equal(leave_one_out_consensus(reads, tie=1)[3], [1, 1, 1, 1])


@pytest.mark.parametrize("readers", [2, 3, 5])
def test_consensus_by_hand_on_random_reads(readers):
    rng = np.random.default_rng(readers)
    reads = np.where(rng.random((80, readers)) < 0.2, NAN, rng.integers(2, size=(80, readers)))
    found = leave_one_out_consensus(reads)
    for (row, j), truth in np.ndenumerate(found):
        others = [r for r in np.delete(reads[row], j) if not np.isnan(r)]
        share = np.mean(others) if others else NAN
        expected = NAN if np.isnan(share) or share == 0.5 else float(share > 0.5)
        np.testing.assert_equal(truth, expected)


def test_bad_reads_are_shown():
    with pytest.raises(ValueError, match=r"row 1, reader 0 is 0\.5"):
        fleiss_kappa([[0, 1], [0.5, 1]])
    with pytest.raises(ValueError, match=r"got shape \(3, 1\)"):
        krippendorff_alpha([[0], [1], [1]])
    with pytest.raises(ValueError, match="got 3: use"):
        cohen_kappa([[0, 1, 1]])
    with pytest.raises(ValueError, match="got 2: choose a threshold"):
        leave_one_out_consensus([[0, 2]])
