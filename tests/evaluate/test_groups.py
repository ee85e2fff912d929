"""Groups of images: who is in which, and who is in none."""

import numpy as np
import polars as pl

from cxrbench.evaluate.groups import AGE_BANDS, group_pairs, group_rows
from fake_study import result

IMAGES = pl.DataFrame(
    {
        "age_years": [0.0, 17.9, 18.0, 59.0, 80.0, None, 45.0],
        "sex": ["F", "M", "M", None, "F", "M", "M"],
        "view": ["PA", "PA", "AP", "AP", None, "PA", "PA"],
    },
    schema_overrides={"age_years": pl.Float32},
)


def members(name: str) -> list[int]:
    return np.flatnonzero(group_rows(IMAGES)[name]).tolist()


def test_members():
    assert members("all") == list(range(7))
    assert members("view=PA") == [0, 1, 5, 6]
    assert members("sex=F") == [0, 4]
    assert members("age=0-17") == [0, 1]  # the whole year counts, as in the release
    assert members("age=18-39") == [2]
    assert members("age=80-120") == [4]


def test_groups_nobody_is_in_are_left_out():
    assert "age=60-79" not in group_rows(IMAGES)
    assert list(group_rows(IMAGES.clear())) == ["all"]


def test_age_bands_leave_no_year_out():
    years = [year for low, high in AGE_BANDS for year in range(low, high + 1)]
    assert years == list(range(121))


def test_gaps_are_to_the_largest_group_of_a_kind():
    assert group_pairs(IMAGES) == [
        ("view=AP", "view=PA"),
        ("sex=F", "sex=M"),
        ("age=18-39", "age=0-17"),
        ("age=40-59", "age=0-17"),
        ("age=80-120", "age=0-17"),
    ]


def test_gap_is_the_difference_of_the_two_groups(study):
    gaps = result(study, "gaps.csv")
    auc = result(study, "auc.csv")
    keys = ["approach", "split", "seed", "finding"]
    known = gaps.filter(pl.col("finding") != "mean").drop_nulls("difference")
    for side in ("group_a", "group_b"):
        own = auc.select(*keys, pl.col("group").alias(side), pl.col("auc").alias(f"auc_{side}"))
        known = known.join(own, on=[*keys, side], how="left")
    assert known.height > 100
    assert np.allclose(known["difference"], known["auc_group_a"] - known["auc_group_b"])
