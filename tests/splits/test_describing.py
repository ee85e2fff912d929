"""The parts of a split, counted."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from cxrbench.splits import Split, describe_split, resample_splits


def test_patients_and_images_per_part_and_finding(table):
    images = table([2, 1, 3]).with_columns(Mass=pl.Series([1, 1, 0, 1, 1, 1], dtype=pl.Int8))
    split = Split("x", "resample", 0, {"train": ("p0",), "val": ("p1",), "test": ("p2",)})
    described = describe_split(split, images)
    assert described.columns == ["part", "finding", "patients", "images", "stated", "note"]
    assert described.filter(finding="all images").drop("finding").rows() == [
        ("train", 1, 2, 2, None),
        ("val", 1, 1, 1, None),
        ("test", 1, 3, 3, None),
    ]
    assert described.filter(finding="Mass").drop("finding").rows() == [
        ("train", 1, 2, 2, "present in every image"),
        ("val", 0, 0, 1, "absent from every image"),
        ("test", 1, 3, 3, "present in every image"),
    ]
    assert described.filter(finding="Hernia")["note"].to_list() == ["not stated for any image"] * 3


def test_a_finding_with_both_kinds_of_images_needs_no_note(table):
    images = table([3] * 30)
    (split,) = resample_splits(images, count=1)
    assert describe_split(split, images).filter(finding="Mass")["note"].null_count() == 3


@given(counts=st.lists(st.integers(1, 4), min_size=20, max_size=30), seed=st.integers(0, 3))
def test_parts_add_up_to_the_table(table, counts, seed):
    images = table(counts, seed=seed)
    (split,) = resample_splits(images, count=1, seed=seed)
    sums = describe_split(split, images).group_by("finding").agg(pl.col("patients", "images", "stated").sum())
    by_finding = {finding: rest for finding, *rest in sums.iter_rows()}
    mass = images.filter(pl.col("Mass") == 1)
    assert by_finding["all images"] == [len(counts), images.height, images.height]
    assert by_finding["Mass"] == [mass["patient_id"].n_unique(), mass.height, images.height]
    assert by_finding["Hernia"] == [0, 0, 0]
