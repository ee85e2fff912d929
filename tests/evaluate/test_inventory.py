"""What went into a study is counted as it is."""

import json

import numpy as np
import polars as pl
import pytest

from cxrbench import files, runs
from cxrbench.evaluate import evaluate_study
from cxrbench.runs import RunName
from fake_study import result


def test_failures_are_listed(small):
    partial = files.partial_of(RunName("large", "resample-1", 0).folder(small))
    files.write_json(partial / runs.FAILURE_FILE, {"reason": "loss is nan in epoch 3"})
    evaluate_study(small)
    assert result(small, "failures.csv").rows() == [("large", "resample-1", 0, "loss is nan in epoch 3")]


def test_the_epoch_kept_is_that_of_the_lowest_validation_loss(study):
    row = result(study, "runs.csv").row(0, named=True)
    folder = RunName(row["approach"], row["split"], row["seed"]).folder(study)
    history = pl.read_csv(folder / "history.csv")
    assert row["epochs"] == history.height
    assert row["best_epoch"] == int(np.argmin(history["val_loss"]))
    assert row["best_val_loss"] == history["val_loss"].min()
    assert row["seconds"] == pytest.approx(history["seconds"].sum())
    assert row["hash"] == json.loads((folder / "config.json").read_text())["hash"]


def test_counts_of_the_archive(study):
    table = pl.read_parquet(study / runs.TABLE_FILE)
    archive = result(study, "archive.csv")
    count = {(row["finding"], row["sex"], row["view"]): row for row in archive.iter_rows(named=True)}
    women = table.filter(pl.col("sex") == "F", pl.col("view") == "AP", pl.col("Effusion") == 1)
    assert count["Effusion", "F", "AP"]["images"] == women.height
    assert count["Effusion", "F", "AP"]["patients"] == women["patient_id"].n_unique()
    assert count["all images", "any", "any"]["images"] == table.height
    assert count["Mass", "any", "PA"]["images"] == table.filter(pl.col("view") == "PA")["Mass"].sum()
    assert result(study, "ages.csv")["images"].sum() == table.height


def test_the_epoch_kept_may_be_another_than_that_of_the_lowest_loss(small):
    folder = RunName("ft", "resample-1", 0).folder(small)
    history = pl.read_csv(folder / "history.csv")
    kept = history.height - 1
    history.with_columns(val_auc=pl.lit(0.7), phase=pl.lit(0), is_kept=pl.col("epoch") == kept).write_csv(
        folder / "history.csv"
    )
    evaluate_study(small, replicates=0)
    row = result(small, "runs.csv").row(0, named=True)
    assert row["best_epoch"] == kept != int(np.argmin(history["val_loss"]))
    assert row["best_val_loss"] == history["val_loss"][kept]
    assert result(small, "history.csv")["val_auc"].to_list() == [0.7] * history.height
