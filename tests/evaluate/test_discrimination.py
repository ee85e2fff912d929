"""AUCs, their means and curves are those of independent definitions."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from cxrbench import runs
from cxrbench.config import load_vocabulary
from cxrbench.evaluate import evaluate_study
from cxrbench.runs import RunName
from fake_study import result, run_images, write_fake_study

NIH = load_vocabulary().names
PATHOLOGIES = load_vocabulary().pathologies


def test_auc_is_that_of_scikit_learn_in_every_group(study):
    auc = result(study, "auc.csv")
    predictions, truth = run_images(study, RunName("ft", "resample-2", 1))
    own = auc.filter(pl.col("approach") == "ft", pl.col("split") == "resample-2", pl.col("seed") == 1)
    groups = {
        "all": pl.lit(value=True),
        "view=AP": pl.col("view") == "AP",
        "sex=F": pl.col("sex") == "F",
        "age=40-59": pl.col("age_years").is_between(40, 59),
    }
    checked = 0
    for group, condition in groups.items():
        inside = truth.select(condition.fill_null(value=False).alias("in")).to_series().to_numpy() & np.ones(
            truth.height, bool
        )
        for finding in NIH:
            row = own.filter(pl.col("group") == group, pl.col("finding") == finding).row(0, named=True)
            present = truth[finding].to_numpy()[inside] == 1
            assert (row["images"], row["positives"]) == (inside.sum(), present.sum())
            if 0 < present.sum() < inside.sum():
                assert row["auc"] == pytest.approx(roc_auc_score(present, predictions[finding].to_numpy()[inside]))
                checked += 1
            else:
                assert row["auc"] is None
                assert row["reason"] == "no image with the finding"
    assert checked > 40


def test_mean_is_over_the_pathologies_that_have_an_auc(study):
    auc = result(study, "auc.csv").filter(pl.col("group") == "age=0-17")
    for keys, rows in auc.group_by("approach", "split", "seed"):
        mean = rows.filter(pl.col("finding") == "mean").row(0, named=True)
        counted = rows.filter(pl.col("finding").is_in(PATHOLOGIES)).drop_nulls("auc")
        assert mean["findings_counted"] == counted.height < 14, keys
        assert mean["auc"] == (pytest.approx(counted["auc"].mean()) if counted.height else None)


def test_summary_averages_seeds_before_splits(study):
    auc = result(study, "auc.csv").filter(pl.col("group") == "all", pl.col("finding") == "mean")
    own = auc.filter(pl.col("approach") == "ft", pl.col("kind") == "resample")
    by_split = [one["auc"].mean() for _, one in own.group_by("split")]
    summary = result(study, "auc_summary.csv").filter(
        pl.col("approach") == "ft", pl.col("kind") == "resample", pl.col("group") == "all", pl.col("finding") == "mean"
    )
    row = summary.row(0, named=True)
    assert row["mean"] == pytest.approx(np.mean(by_split))
    assert row["sd"] == pytest.approx(np.std(by_split, ddof=1))
    assert (row["splits"], row["seeds"]) == (3, 2)


def test_one_official_list_has_no_sd(study):
    summary = result(study, "auc_summary.csv").filter(pl.col("kind") == "official")
    assert summary["sd"].null_count() == summary.height > 0


def test_curves_rise_from_zero_to_one_and_enclose_their_area(study):
    curves = result(study, "roc.parquet")
    summary = result(study, "auc_summary.csv").filter(pl.col("group") == "all")
    for (approach, kind, finding), curve in curves.group_by("approach", "kind", "finding"):
        rate, sensitivity = curve["false_positive_rate"].to_numpy(), curve["sensitivity"].to_numpy()
        assert (rate[0], rate[-1], sensitivity[-1]) == (0, 1, 1)
        assert (np.diff(sensitivity) >= 0).all()
        area = summary.filter(pl.col("approach") == approach, pl.col("kind") == kind, pl.col("finding") == finding)
        assert np.trapezoid(sensitivity, rate) == pytest.approx(area["mean"][0], abs=0.02)


def test_images_with_unstated_labels_are_left_out(small):
    run = RunName("ft", "resample-1", 0)
    predictions, _ = run_images(small, run)
    table = pl.read_parquet(small / runs.TABLE_FILE)
    unstated = predictions["image_id"][:5].to_list()
    pl.DataFrame(
        table.with_columns(
            pl.when(pl.col("image_id").is_in(unstated)).then(None).otherwise(pl.col("Effusion")).alias("Effusion")
        )
    ).write_parquet(small / runs.TABLE_FILE)
    evaluate_study(small)
    row = result(small, "auc.csv").filter(pl.col("group") == "all", pl.col("finding") == "Effusion").row(0, named=True)
    _, truth = run_images(small, run)
    kept = truth["Effusion"].is_not_null().to_numpy()
    assert row["images"] == predictions.height - 5 == kept.sum()
    present = truth["Effusion"].to_numpy()[kept] == 1
    assert row["auc"] == pytest.approx(roc_auc_score(present, predictions["Effusion"].to_numpy()[kept]))


def test_seeds_on_one_test_set_are_averaged_with_an_interval(tmp_path):
    """The mean over seeds, against the average of their AUCs and a hand-made covariance of all columns."""
    study = write_fake_study(tmp_path / "study", patients=120, resamples=0, official=True, seeds=(0, 1))
    evaluate_study(study, replicates=0)
    auc, mean = (result(study, name).filter(group="all", approach="ft") for name in ("auc.csv", "auc_seeds.csv"))
    each = auc.group_by("finding").agg(pl.col("auc").mean().alias("expected"), pl.col("std_error").max())
    both = mean.join(each, on="finding").drop_nulls("auc")
    assert both["auc"].to_numpy() == pytest.approx(both["expected"].to_numpy())
    assert mean["seed"].null_count() == mean.height
    assert set(mean["question"]) == {"these models on new patients"}
    row = both.filter(finding="Infiltration").row(0, named=True)
    assert row["lower"] < row["auc"] < row["upper"]
    assert row["std_error"] < row["std_error_right"]  # noise of the seeds averages out, that of the patients does not
    assert row["std_error"] > row["std_error_right"] / np.sqrt(2)
    assert mean.filter(finding="mean")["findings_counted"].item() == auc.filter(finding="mean")["findings_counted"][0]
    assert result(study, "gaps_seeds.csv").filter(finding="mean")["difference"].is_not_null().any()
