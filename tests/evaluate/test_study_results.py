"""A whole study is evaluated from its files; what does not belong together is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from cxrbench import files, runs, splits
from cxrbench.config import load_vocabulary
from cxrbench.errors import DataError, StudyError
from cxrbench.evaluate import evaluate_study
from cxrbench.report import write_report
from cxrbench.runs import RunName
from fake_study import fake_predictions, write_fake_study

NIH = load_vocabulary().names
PATHOLOGIES = load_vocabulary().pathologies


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    folder = write_fake_study(
        tmp_path_factory.mktemp("evaluated") / "study", patients=120, resamples=3, official=True, seeds=(0, 1)
    )
    evaluate_study(folder)
    return folder


@pytest.fixture
def small(tmp_path) -> Path:
    return write_fake_study(tmp_path / "study", patients=40, resamples=1, approaches=["ft"])


def result(study: Path, name: str) -> pl.DataFrame:
    path = study / "results" / name
    return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema_length=None)


def run_images(study: Path, run: RunName) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Predictions and truth of a run's test images, joined by hand."""
    predictions = pl.read_parquet(run.folder(study) / "predictions-test.parquet").sort("image_id")
    table = pl.read_parquet(study / runs.TABLE_FILE)
    return predictions, predictions.select("image_id").join(table, on="image_id", maintain_order="left")


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


def test_rank_correlation_is_averaged_over_splits_and_seeds(study):
    def spearman(split: str, a: tuple[str, int], b: tuple[str, int]) -> float:
        one, other = (run_images(study, RunName(approach, split, seed))[0] for approach, seed in (a, b))
        return spearmanr(one["Mass"], other["Mass"]).statistic

    pairs = [(("ft", i), ("ft-meta", j)) for i in (0, 1) for j in (0, 1)]
    expected = np.mean([np.mean([spearman(f"resample-{k}", *pair) for pair in pairs]) for k in (1, 2, 3)])
    ranks = result(study, "rank_correlation.csv").filter(pl.col("kind") == "resample", pl.col("finding") == "Mass")
    row = ranks.filter(pl.col("approach_a") == "ft", pl.col("approach_b") == "ft-meta").row(0, named=True)
    assert row["spearman"] == pytest.approx(expected)
    ceiling = ranks.filter(pl.col("approach_a") == "ft", pl.col("approach_b") == "ft")
    assert ceiling["spearman"][0] == pytest.approx(
        np.mean([spearman(f"resample-{k}", ("ft", 0), ("ft", 1)) for k in (1, 2, 3)])
    )


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


def test_curves_rise_from_zero_to_one_and_enclose_their_area(study):
    curves = result(study, "roc.parquet")
    summary = result(study, "auc_summary.csv").filter(pl.col("group") == "all")
    for (approach, kind, finding), curve in curves.group_by("approach", "kind", "finding"):
        rate, sensitivity = curve["false_positive_rate"].to_numpy(), curve["sensitivity"].to_numpy()
        assert (rate[0], rate[-1], sensitivity[-1]) == (0, 1, 1)
        assert (np.diff(sensitivity) >= 0).all()
        area = summary.filter(pl.col("approach") == approach, pl.col("kind") == kind, pl.col("finding") == finding)
        assert np.trapezoid(sensitivity, rate) == pytest.approx(area["mean"][0], abs=0.02)


def test_results_are_the_same_again_and_replace_the_earlier(study, tmp_path):
    before = {path.name: path.read_bytes() for path in (study / "results").iterdir()}
    (study / "results" / "stale.csv").write_text("old")
    evaluate_study(study)
    assert {path.name: path.read_bytes() for path in (study / "results").iterdir()} == before
    assert not list(study.glob("results?*"))


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


def test_failures_are_listed(small):
    partial = files.partial_of(RunName("large", "resample-1", 0).folder(small))
    files.write_json(partial / runs.FAILURE_FILE, {"reason": "loss is nan in epoch 3"})
    evaluate_study(small)
    assert result(small, "failures.csv").rows() == [("large", "resample-1", 0, "loss is nan in epoch 3")]


def test_nothing_finished(tmp_path):
    (tmp_path / "runs").mkdir()
    with pytest.raises(StudyError, match="runs has no finished run"):
        evaluate_study(tmp_path)


def break_split(study: Path) -> None:
    path = study / "splits" / "resample-1.json"
    split = json.loads(path.read_text())
    split["patients"]["test"].append(split["patients"]["train"][0])
    path.write_text(json.dumps(split))


def test_patient_in_two_parts(small):
    shared = json.loads((small / "splits" / "resample-1.json").read_text())["patients"]["train"][0]
    break_split(small)
    with pytest.raises(DataError, match=f"patient {shared} in train and in test"):
        evaluate_study(small)
    assert not list(small.glob("results*"))


def rewrite(study: Path, change) -> Path:
    path = RunName("ft", "resample-1", 0).folder(study) / "predictions-test.parquet"
    change(pl.read_parquet(path)).write_parquet(path)
    return path


def test_predictions_of_training_images(small):
    table = pl.read_parquet(small / runs.TABLE_FILE)
    split = splits.read_split(small / "splits" / "resample-1.json")
    trained = table[split.rows(table, "train")].head(1)
    rewrite(small, lambda own: pl.concat([own, fake_predictions(trained, 1.0, np.random.default_rng(0))]))
    with pytest.raises(StudyError, match=f"1 images are not in the test part .*{trained['image_id'][0]}"):
        evaluate_study(small)


def test_predictions_of_unknown_images(small):
    rewrite(small, lambda own: own.with_columns(image_id=pl.col("image_id").replace(own["image_id"][0], "x.png")))
    with pytest.raises(StudyError, match=r"1 images are not in the study's table \(first: x.png\)"):
        evaluate_study(small)


def test_an_image_predicted_twice(small):
    path = rewrite(small, lambda own: pl.concat([own, own.head(1)]))
    image = pl.read_parquet(path)["image_id"][0]
    with pytest.raises(StudyError, match=f"image {image} is predicted more than once"):
        evaluate_study(small)


def test_other_findings(small):
    rewrite(small, lambda own: own.drop("Hernia"))
    with pytest.raises(StudyError, match=r"its study answers.*'Hernia'"):
        evaluate_study(small)


def test_a_logit_that_is_no_number(small):
    path = rewrite(small, lambda own: own.with_columns(Mass=pl.lit(float("nan"), dtype=pl.Float32)))
    image = pl.read_parquet(path)["image_id"].min()
    with pytest.raises(StudyError, match=f"the logit of Mass for {image} is nan"):
        evaluate_study(small)


def test_a_run_of_another_split(small):
    path = RunName("ft", "resample-1", 0).folder(small) / "config.json"
    config = json.loads(path.read_text()) | {"split_digest": "0" * 64}
    path.write_text(json.dumps(config))
    with pytest.raises(StudyError, match=r"another split named resample-1 .*digest is 000000000000"):
        evaluate_study(small)


def test_runs_on_other_images(tmp_path):
    study = write_fake_study(tmp_path / "study", patients=40, resamples=1)
    rewrite(study, lambda own: own.head(own.height - 2))
    with pytest.raises(StudyError, match="they differ in 2"):
        evaluate_study(study)


@pytest.mark.parametrize("name", ["predictions-test.parquet", "predictions-val.parquet", "config.json", "history.csv"])
@pytest.mark.parametrize("damage", ["absent", "cut short"])
def test_a_file_that_cannot_be_read(small, name, damage):
    path = RunName("ft", "resample-1", 0).folder(small) / name
    if damage == "absent":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(
        StudyError, match=rf"{name} (cannot be read \(.+\)|has no column 'seconds'); delete its run"
    ) as caught:
        evaluate_study(small)
    assert "\n" not in str(caught.value)


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


@pytest.mark.parametrize(
    ("key", "value", "said"), [("profile", "paper", "another profile"), ("store_digest", "00" * 32, "another store")]
)
def test_runs_of_two_studies_are_not_compared(tmp_path, key, value, said):
    study = write_fake_study(tmp_path / "study", patients=40, resamples=1, approaches=["ft", "large"])
    path = RunName("large", "resample-1", 0).folder(study) / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(
        StudyError, match=f"ft / resample-1 / seed 0 and large / resample-1 / seed 0 were made with {said}"
    ):
        evaluate_study(study)
    assert not (study / "results").exists()


def test_a_run_without_pretrained_weights_stands_beside_one_with(tmp_path):
    study = write_fake_study(tmp_path / "study", patients=40, resamples=1, approaches=["ft", "large"])
    assert evaluate_study(study).exists()


def test_weights_are_shared_by_the_runs_of_an_approach_not_of_a_study(tmp_path):
    study = write_fake_study(tmp_path / "study", patients=40, resamples=2, approaches=["ft", "ots"])
    for split in ("resample-1", "resample-2"):
        exchange_weights(RunName("ots", split, 0).folder(study), "34" * 32)
    evaluate_study(study)
    rows = result(study, "runs.csv").select("approach", "weights", "weights_digest").unique().sort("approach").rows()
    title = "stand-in, trained on generated pictures"
    assert rows == [("ft", title, "ab" * 32), ("ots", title, "34" * 32)]
    exchange_weights(RunName("ots", "resample-2", 0).folder(study), "56" * 32)
    with pytest.raises(
        StudyError, match=r"ots / resample-1 .* made with another set of pre-trained weights; .*one approach"
    ):
        evaluate_study(study)


def exchange_weights(folder, digest):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"weights": config["weights"] | {"digest": digest}}))


def test_films_that_weights_saw_are_told_of_finished_runs_alone(tmp_path):
    study = write_fake_study(tmp_path / "study", patients=40, resamples=1, approaches=["ft"])
    seen = {"split": "resample-1", "archive": "nih", "with_labels": True, "basis": "image list",
            "test_images": 9, "test_seen": 4, "val_seen": 0}  # fmt: skip
    record = json.loads((study / "study.json").read_text())
    pretraining = [{"approach": approach, **seen} for approach in ("ft", "unfinished")]
    (study / "study.json").write_text(json.dumps(record | {"pretraining": pretraining}))
    evaluate_study(study)
    assert result(study, "pretraining.csv").rows(named=True) == [{"approach": "ft", **seen}]


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


def test_one_seed_each_but_different_ones_makes_a_report(tmp_path):
    study = write_fake_study(tmp_path / "study", patients=120, resamples=0, official=True, seeds=(0, 1))
    shutil.rmtree(RunName("ft", "official", 0).folder(study))
    shutil.rmtree(RunName("ft-meta", "official", 1).folder(study))
    evaluate_study(study, replicates=0)
    assert result(study, "comparison.csv")["question"].unique().to_list() == ["this model on new patients"]
    assert write_report(study).is_file()
