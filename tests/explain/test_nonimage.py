"""What age, sex and view are worth, where it is known."""

import numpy as np
import polars as pl
import pytest

from cxrbench.explain.models_without_image import READERS, score_without_image
from cxrbench.explain.nonimage import Asking, nonimage_study
from cxrbench.explain.probes import Pooled, read_from_features
from cxrbench.runs import finished_runs
from cxrbench.stats.roc import auc


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_finds_what_depends_on_age(reader):
    rng = np.random.default_rng(0)
    features = rng.random((1200, 3))
    present = (rng.random(1200) < features[:, 0] ** 2).astype(np.int8)
    labels = np.stack([present, np.where(rng.random(1200) < 0.5, np.nan, present), np.zeros(1200)], axis=1)
    chances = score_without_image(reader, features[:800], labels[:800], features[800:])
    best = auc(features[800:, 0], present[800:])
    assert [auc(chances[:, column], present[800:]) for column in (0, 1)] == pytest.approx([best] * 2, abs=0.04)
    assert (chances[:, 2] == 0).all()


def pooled(values, rng):
    features = np.stack([values + rng.normal(0, 0.1, len(values)), rng.normal(size=len(values))], axis=1)
    images = pl.DataFrame({"age_years": values, "patient_id": np.arange(len(values)).astype(str)})
    return Pooled(features.astype(np.float32), images)


def test_a_probe_reads_what_the_features_hold_and_leaves_out_what_is_unknown():
    rng = np.random.default_rng(0)
    parts = {part: pooled(rng.uniform(20, 90, 300), rng) for part in ("train", "val", "test")}
    images = parts["test"].images.with_columns(pl.when(pl.int_range(300) > 9).then("age_years").alias("age_years"))
    read = read_from_features({**parts, "test": Pooled(parts["test"].features, images)}, "age")
    assert len(read) == 290
    assert np.abs(read - images["age_years"].drop_nulls().to_numpy()).mean() < 1


@pytest.fixture(scope="module")
def result(opened, tmp_path_factory):
    out = tmp_path_factory.mktemp("nonimage") / "out"
    return out, nonimage_study(opened.folder, out, names=finished_runs(opened.folder), asking=Asking(40, seed=0))


def test_each_model_says_what_it_was_given(result):
    told = result[1].table.select("given", "model").unique(maintain_order=True).rows()
    without = [("non-image", reader) for reader in READERS]
    assert told == [*without, ("image", "1channel"), ("both", "1channel-meta")]
    assert set(result[1].table["test_films_seen_by_weights"]) == {0}


def test_the_aucs_are_those_of_the_predictions(result, opened, image_run):
    row = result[1].table.filter(given="image", finding="Effusion").row(0, named=True)
    kept = pl.read_parquet(image_run.name.folder(opened.folder) / "predictions-test.parquet")
    truth = opened.rows(kept["image_id"].to_list())["Effusion"].to_numpy() == 1
    assert row["auc"] == pytest.approx(auc(kept["Effusion"].to_numpy(), truth))
    assert (row["images"], row["positives"]) == (len(truth), truth.sum())


def test_both_is_compared_with_its_twin_alone(result):
    table = result[1].table
    aucs = dict(table.filter(finding="Effusion").select("model", "auc").iter_rows())
    both = table.filter(given="both", finding="Effusion").row(0, named=True)
    assert both["over_image"] == pytest.approx(aucs["1channel-meta"] - aucs["1channel"])
    assert (
        table.filter(pl.col("given") != "both")["over_image"].null_count()
        == table.filter(pl.col("given") != "both").height
    )


def test_probes_ask_image_only_networks(result, image_run, opened):
    out, found = result
    assert found.probes.select("approach", "target", "measure").rows() == [
        ("1channel", "sex", "auc"),
        ("1channel", "view", "auc"),
        ("1channel", "age", "mean_absolute_error"),
    ]
    age = found.probes.row(2, named=True)
    test = image_run.test_rows(opened.table)["age_years"].to_numpy()
    assert age["learnt_from"] == 40
    assert age["gain"] == pytest.approx(age["untold"] - age["estimate"])
    assert 5 < age["untold"] < np.ptp(test)
    assert age["test_films_seen_by_weights"] == 0
    assert {path.name for path in out.iterdir()} == {"nonimage.csv", "probes.csv", "nonimage.svg", "origin.json"}


def test_probes_can_be_left_out(opened, tmp_path):
    asking = Asking(probe_films=0)
    found = nonimage_study(opened.folder, tmp_path / "out", names=finished_runs(opened.folder), asking=asking)
    assert found.probes.is_empty()
