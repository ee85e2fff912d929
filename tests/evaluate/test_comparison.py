"""Families of comparisons, and pairs that cannot be compared."""

import shutil

import numpy as np
import polars as pl
import pytest

from cxrbench import splits
from cxrbench.evaluate import evaluate_study
from cxrbench.evaluate.comparison import COMPARISON_TABLE, adjusted, resampled_comparisons
from cxrbench.runs import RunName
from cxrbench.splits import Split
from fake_study import result, write_fake_study

PATIENTS = {"train": tuple("abcdefg"), "val": ("h",), "test": ("i", "j")}
SPLITS = {name: Split(name, "resample", 0, PATIENTS) for name in ("resample-1", "resample-2", "resample-3")}


def auc(rows: list[tuple[str, str, str, float | None]]) -> pl.DataFrame:
    """Rows of approach, split, finding, AUC."""
    frame = pl.DataFrame(
        rows, schema={"approach": pl.String, "split": pl.String, "finding": pl.String, "auc": pl.Float64}, orient="row"
    )
    counts = {"positives": pl.int_range(40, 40 + pl.len()), "positive_patients": pl.lit(30)}
    return frame.with_columns(kind=pl.lit("resample"), group=pl.lit("all"), **counts)


def test_holm_within_the_family_of_means_and_of_findings():
    p_values = {"mean": [0.01, 0.04, None], "Mass": [0.001, 0.2, 0.03], "Hernia": [0.5, None, 0.02]}
    rows = [
        {"kind": "official", "finding": finding, "p_value": p} for finding, values in p_values.items() for p in values
    ]
    result = adjusted(COMPARISON_TABLE.frame(rows))
    means = result.filter(pl.col("finding") == "mean")["p_adjusted"].to_list()
    assert means == [pytest.approx(0.02), pytest.approx(0.04), None]
    findings = result.filter(pl.col("finding") != "mean")["p_adjusted"].to_list()
    assert findings == [pytest.approx(v) if v else None for v in (0.005, 0.4, 0.09, 0.5, None, 0.08)]


def test_families_are_apart_by_kind():
    rows = [{"kind": kind, "finding": "mean", "p_value": 0.03} for kind in ("resample", "official")]
    assert adjusted(COMPARISON_TABLE.frame(rows))["p_adjusted"].to_list() == [0.03, 0.03]


def test_only_splits_that_both_have_count():
    rows = [
        ("a", "resample-1", "Mass", 0.8), ("a", "resample-2", "Mass", 0.7), ("a", "resample-3", "Mass", 0.9),
        ("b", "resample-1", "Mass", 0.7), ("b", "resample-2", "Mass", 0.65), ("b", "resample-3", "Mass", None),
    ]  # fmt: skip
    row = resampled_comparisons(auc(rows), SPLITS).row(0, named=True)
    assert (row["splits"], row["difference"]) == (2, pytest.approx(0.075))
    assert (row["positives"], row["positive_patients"]) == (40, 30)  # of the split with the fewest
    assert row["std_error"] == pytest.approx(0.05 / 2**0.5 * (1 / 2 + 2 / 7) ** 0.5)


def test_one_common_split_gives_a_difference_without_interval():
    rows = [("a", "resample-1", "Mass", 0.8), ("b", "resample-1", "Mass", 0.7), ("b", "resample-2", "Mass", 0.6)]
    row = resampled_comparisons(auc(rows), SPLITS).row(0, named=True)
    assert row["difference"] == pytest.approx(0.1)
    assert row["lower"] is row["p_value"] is row["p_adjusted"] is None
    assert row["reason"] == "needs two splits, has 1"


def test_no_common_split():
    rows = [("a", "resample-1", "Mass", 0.8), ("b", "resample-2", "Mass", 0.6)]
    row = resampled_comparisons(auc(rows), SPLITS).row(0, named=True)
    assert row["difference"] is None
    assert row["reason"] == "needs two splits, has 0"


def test_comparison_over_resamples_is_nadeau_and_bengios(study):
    auc = result(study, "auc.csv").filter(pl.col("group") == "all", pl.col("finding") == "Effusion")
    row = result(study, "comparison.csv").filter(pl.col("kind") == "resample", pl.col("finding") == "Effusion")
    mean = auc.group_by("approach", "split").agg(pl.col("auc").mean())
    wide = mean.filter(pl.col("split") != "official").pivot("approach", index="split", values="auc")
    differences = (wide["ft"] - wide["ft-meta"]).to_numpy()
    split = splits.read_split(study / "splits" / "resample-1.json")
    ratio = len(split.patients["test"]) / len(split.patients["train"])
    assert row["difference"][0] == pytest.approx(differences.mean())
    assert row["std_error"][0] == pytest.approx(differences.std(ddof=1) * np.sqrt(1 / 3 + ratio))
    assert row["question"][0] == "this recipe on new training sets"
    assert row["splits"][0] == 3


def test_comparison_on_one_list_asks_about_new_patients(study):
    rows = result(study, "comparison.csv").filter(pl.col("kind") == "official")
    assert rows["question"].unique().to_list() == ["these models on new patients"]  # two seeds of each approach
    auc = result(study, "auc.csv").filter(
        pl.col("group") == "all", pl.col("kind") == "official", pl.col("finding") == "Infiltration"
    )
    mean = {name: one["auc"].mean() for (name,), one in auc.group_by("approach")}
    row = rows.filter(pl.col("finding") == "Infiltration").row(0, named=True)
    assert row["difference"] == pytest.approx(mean["ft"] - mean["ft-meta"])
    assert row["lower"] < row["difference"] < row["upper"]


def test_approaches_with_unequal_seeds_are_compared_by_their_own_means(tmp_path):
    study = write_fake_study(tmp_path / "study", patients=120, resamples=0, official=True, seeds=(0, 1, 2))
    for seed in (0, 1):
        shutil.rmtree(RunName("ft-meta", "official", seed).folder(study))
    evaluate_study(study, replicates=0)
    row = result(study, "comparison.csv").filter(finding="Infiltration").row(0, named=True)
    means = dict(
        result(study, "auc_summary.csv")
        .filter(group="all", finding="Infiltration")
        .select("approach", "mean")
        .iter_rows()
    )
    assert row["difference"] == pytest.approx(means["ft"] - means["ft-meta"])
    assert row["lower"] < row["difference"] < row["upper"]
    curves = pl.read_parquet(study / "results" / "roc.parquet")
    assert curves["sd"].null_count() == curves.height  # one split: seeds have no SD over splits
