"""Re-samples and folds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrbench.errors import DataError
from cxrbench.splits import check_covers, check_disjoint, fold_splits, resample_splits

PARTS = ("train", "val", "test")
COUNTS = st.lists(st.integers(1, 6), min_size=20, max_size=60)


def members(split):
    return [set(split.patients[part]) for part in PARTS]


@given(counts=COUNTS, seed=st.integers(0, 5))
def test_a_patient_is_on_one_side_of_a_resample(table, counts, seed):
    images = table(counts)
    for split in resample_splits(images, count=3, seed=seed):
        train, val, test = members(split)
        assert train.isdisjoint(val)
        assert test.isdisjoint(train | val)
        assert train | val | test == set(images["patient_id"])
        check_disjoint(split)
        check_covers(split, images)
        rows = [split.rows(images, part) for part in PARTS]
        assert sorted(row for part in rows for row in part) == list(range(images.height))


@given(counts=COUNTS, test=st.floats(0.1, 0.4), val=st.floats(0.1, 0.4))
def test_fractions_are_those_of_the_patients(table, counts, test, val):
    (split,) = resample_splits(table(counts), count=1, fractions=(1 - val - test, val, test))
    patients = len(counts)
    assert len(split.patients["val"]) == round(val * patients)
    assert len(split.patients["test"]) == round(test * patients)
    assert sum(len(part) for part in split.patients.values()) == patients


@given(counts=COUNTS, order=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(table, counts, order):
    images = table(counts)
    shuffled = images[order.sample(range(images.height), images.height)]
    for draw in (resample_splits, fold_splits):
        assert [split.digest for split in draw(images)] == [split.digest for split in draw(shuffled)]


@given(counts=COUNTS, more=st.lists(st.integers(1, 3), min_size=20, max_size=60))
def test_neither_does_the_number_of_images(table, counts, more):
    patients = min(len(counts), len(more))
    first, second = (resample_splits(table(images[:patients])) for images in (counts, more))
    assert first == second


def test_resamples_differ_by_number_and_seed(table):
    images = table([1] * 50)
    digests = {split.digest for seed in range(3) for split in resample_splits(images, seed=seed)}
    assert len(digests) == 15


def test_a_longer_series_begins_like_a_shorter_one(table):
    images = table([1] * 50)
    assert resample_splits(images, count=5)[:2] == resample_splits(images, count=2)


def test_the_draw_is_the_same_on_every_machine_and_with_every_version(table):
    images = table([1] * 20)
    first, second = resample_splits(images, count=2, seed=7)
    assert first.patients["test"] == GOLDEN["first"]
    assert second.patients["test"] == GOLDEN["second"]
    assert fold_splits(images, seed=7)[0].patients["test"] == GOLDEN["fold"]


GOLDEN = {
    "first": ("p18", "p4", "p7", "p8"),
    "second": ("p15", "p3", "p5", "p7"),
    "fold": ("p11", "p16", "p2", "p3"),
}


def test_names_kinds_and_origin(table):
    images = table([1] * 50)
    splits = [*resample_splits(images, count=2, seed=3), *fold_splits(images, folds=2, seed=4)]
    assert [(split.name, split.kind, split.seed) for split in splits] == [
        ("resample-1", "resample", 3),
        ("resample-2", "resample", 3),
        ("fold-1", "fold", 4),
        ("fold-2", "fold", 4),
    ]
    assert splits[0].fractions == (0.7, 0.1, 0.2)
    assert splits[2].fractions == pytest.approx((0.4375, 0.0625, 0.5))


@given(counts=COUNTS, folds=st.integers(2, 6), fraction=st.floats(0.1, 0.5))
def test_every_patient_is_tested_in_exactly_one_fold(table, counts, folds, fraction):
    images = table(counts)
    splits = fold_splits(images, folds=folds, validation_fraction=fraction)
    tested = [patient for split in splits for patient in split.patients["test"]]
    assert sorted(tested) == sorted(set(images["patient_id"]))
    sizes = [len(split.patients["test"]) for split in splits]
    assert max(sizes) - min(sizes) <= 1
    for split in splits:
        check_disjoint(split)
        check_covers(split, images)
        outside = len(counts) - len(split.patients["test"])
        assert len(split.patients["val"]) == round(fraction * outside)


@pytest.mark.parametrize("draw", [resample_splits, fold_splits])
def test_too_few_patients_are_refused(table, draw):
    with pytest.raises(DataError, match="has no patient in val; too few patients for its fractions"):
        draw(table([1, 1, 1]))


@pytest.mark.parametrize("fractions", [(0.7, 0.1, 0.1), (0.8, 0.2, 0.0), (1.2, -0.1, -0.1), (0.5, 0.5)])
def test_fractions_that_make_no_sense(table, fractions):
    with pytest.raises(ValueError, match="three positive shares that add up to 1"):
        resample_splits(table([1] * 20), fractions=fractions)


def test_folds_that_make_no_sense(table):
    with pytest.raises(ValueError, match="folds must be at least 2; got 1"):
        fold_splits(table([1] * 20), folds=1)
    with pytest.raises(ValueError, match=r"validation_fraction must be between 0 and 1; got 1\.5"):
        fold_splits(table([1] * 20), validation_fraction=1.5)
