"""Several models as one have the AUC of their mean."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.special import expit
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from cxrbench import runs
from cxrbench.config import load_vocabulary
from cxrbench.errors import DataError
from cxrbench.evaluate import evaluate_study
from cxrbench.evaluate.predictions import compare_files
from cxrbench.report.predictions import write_predictions_report
from cxrbench.runs import RunName
from fake_study import write_fake_study

NIH = load_vocabulary().names

RUN = RunName("ft", "resample-1", 0)
COMMON = ("Infiltration", "No Finding")


def scored(study: Path, run: RunName, part: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Logits and truth of a run's images."""
    logits = pl.read_parquet(run.folder(study) / f"predictions-{part}.parquet").sort("image_id")
    table = pl.read_parquet(study / runs.TABLE_FILE)
    return logits, logits.select("image_id").join(table, on="image_id", maintain_order="left")


def rows(study: Path, name: str, run: RunName = RUN) -> pl.DataFrame:
    path = study / "results" / name
    frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema_length=None)
    return frame.filter(approach=run.approach, split=run.split, seed=run.seed)


def test_ensemble_of_all_approaches_is_the_mean_of_their_probabilities(larger):
    ensembles = pl.read_csv(larger / "results" / "ensembles.csv").filter(split="resample-1")
    assert ensembles["ensemble"].unique().to_list() == ["all approaches"]
    members = [scored(larger, RunName(name, "resample-1", 0), "test") for name in ("ft", "ft-meta")]
    for finding in COMMON:
        mean = np.mean([expit(logits[finding].to_numpy()) for logits, _ in members], axis=0)
        row = ensembles.filter(finding=finding, mean_of="probability").row(0, named=True)
        assert row["members"] == 2
        assert row["auc"] == pytest.approx(roc_auc_score(members[0][1][finding], mean))


def test_seeds_of_an_approach_are_an_ensemble(tmp_path):
    study = write_fake_study(tmp_path / "study", patients=60, resamples=1, approaches=["ft"], seeds=(0, 1, 2))
    evaluate_study(study, replicates=0)
    ensembles = pl.read_csv(study / "results" / "ensembles.csv")
    assert ensembles.select("ensemble", "members").unique().rows() == [("seeds of ft", 3)]
    assert ensembles.filter(mean_of="rank").height == len(NIH) + 1
    summary = pl.read_csv(study / "results" / "probability_summary.csv", infer_schema_length=None)
    assert summary["lower"].null_count() == summary.height
    assert set(summary["reason"]) == {"patients were not drawn again"}


@pytest.mark.parametrize("way", ["probability", "rank"])
def test_all_models_as_one(table, labels, good, poor, tmp_path, way):
    result = compare_files([good, poor], labels, tmp_path / "out", ensemble=way, replicates=50)
    name = f"ensemble ({way})"
    files = [frame.sort("Image Index") for frame in (pl.read_csv(good), pl.read_parquet(poor))]
    columns = [file["Infiltration"].to_numpy() for file in files]
    mean = np.mean([rankdata(column) if way == "rank" else column for column in columns], axis=0)
    truth = table.sort("image_id")["Infiltration"].to_numpy()
    measured = result.tables["auc"].filter(approach=name, group="all", finding="Infiltration").row(0, named=True)
    assert measured["auc"] == pytest.approx(roc_auc_score(truth, mean))
    assert measured["lower"] < measured["auc"] < measured["upper"]
    assert {"approach_a": name, "approach_b": "good"} in result.tables["comparison"].select(
        "approach_a", "approach_b"
    ).to_dicts()
    assert (name in set(result.tables["probabilities"]["approach"])) is (way == "probability")  # a rank is none
    write_predictions_report(result)
    assert name in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


def test_an_unknown_ensemble(labels, good, poor, tmp_path):
    with pytest.raises(DataError, match="unknown ensemble 'median'; valid: probability, rank"):
        compare_files([good, poor], labels, tmp_path / "out", ensemble="median")
