"""A run becomes a bundle: same weights, evidence from the right part of the split, nothing of this machine."""

import json
import shutil

import numpy as np
import polars as pl
import pytest
from scipy.special import expit

from cxrbench.bundle import choose_runs, load_bundle
from cxrbench.bundle.making import make_bundle
from cxrbench.config import RunConfig, read_run, with_changes
from cxrbench.errors import BundleError
from cxrbench.evaluate import evaluate_study
from cxrbench.evaluate.reading import read_table
from cxrbench.runs import RunName
from cxrbench.splits import read_split
from sealing import reseal


@pytest.fixture(scope="module")
def bundle(small_bundle):
    return load_bundle(small_bundle)


@pytest.fixture(scope="module")
def ensemble(small_study, tmp_path_factory):
    """Two approaches of different sizes on one split, and one of them on the other split."""
    runs = (
        RunName("1channel", "resample-1", 0),
        RunName("large-meta", "resample-1", 0),
        RunName("1channel", "resample-2", 0),
    )
    return make_bundle(small_study, runs, tmp_path_factory.mktemp("ensemble") / "bundle")


def predictions(study, run, part):
    return pl.read_parquet(run.folder(study) / f"predictions-{part}.parquet")


def platt(logits, present):
    """Platt's fit by plain gradient steps of Newton's method on his smoothed targets, written anew."""
    positives, negatives = present.sum(), (~present).sum()
    target = np.where(present, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    design = np.stack([np.ones(len(logits)), logits], axis=1)
    beta = np.zeros(2)
    for _ in range(100):
        chance = expit(design @ beta)
        hessian = design.T @ (design * (chance * (1 - chance))[:, None])
        beta += np.linalg.solve(hessian + 1e-12 * np.eye(2), design.T @ (target - chance))
    return beta


def test_calibration_and_threshold_come_from_the_validation_part(small_study, bundle):
    run = RunName("1channel-meta", "resample-1", 0)
    table = read_table(small_study)
    held = predictions(small_study, run, "val").join(table, on="image_id", suffix=" truth")
    fitted = 0
    for finding in bundle.findings:
        calibration, decision = bundle.members[0].calibrations[finding], bundle.record.decisions[finding]
        present, logits = held[f"{finding} truth"].to_numpy() == 1, held[finding].to_numpy().astype(float)
        if not calibration.is_fitted:
            assert calibration.reason
            assert (calibration.slope, calibration.intercept) == (1, 0)
            continue
        fitted += 1
        intercept, slope = platt(logits, present)
        assert calibration.slope == pytest.approx(slope, rel=1e-4)
        assert calibration.intercept == pytest.approx(intercept, rel=1e-4, abs=1e-4)
        chances = expit(intercept + slope * logits)
        youden = [(chances[present] >= t).mean() - (chances[~present] >= t).mean() for t in chances]
        chosen = (chances[present] >= decision.threshold - 1e-9).mean() - (
            chances[~present] >= decision.threshold - 1e-9
        ).mean()
        assert chosen == pytest.approx(max(youden))
        assert decision.quantiles[50] == pytest.approx(np.median(chances), rel=1e-4)
        assert (decision.quantiles[0], decision.quantiles[100]) == pytest.approx(
            (chances.min(), chances.max()), rel=1e-4
        )
    assert fitted > 0


def test_a_finding_that_validation_lacks_is_given_as_it_is(small_study, bundle):
    split = read_split(small_study / "splits" / "resample-1.json")
    table = read_table(small_study)
    held = table[split.rows(table, "val")]
    lacking = [finding for finding in bundle.findings if not held[finding].sum()]
    assert lacking
    for finding in lacking:
        assert not bundle.is_calibrated(finding)
        assert "no image with the finding" in bundle.record.decisions[finding].reason
        assert bundle.record.decisions[finding].threshold is None


def test_test_results_are_those_of_the_study(small_study, bundle):
    evaluate_study(small_study)
    auc = pl.read_csv(small_study / "results" / "auc.csv").filter(
        (pl.col("approach") == "1channel-meta") & (pl.col("split") == "resample-1") & (pl.col("group") == "all")
    )
    ours = {result.finding: result for result in bundle.record.test}
    assert set(ours) == set(auc["finding"])
    for row in auc.iter_rows(named=True):
        mine = ours[row["finding"]]
        assert (mine.auc, mine.auc_lower, mine.auc_upper) == pytest.approx((row["auc"], row["lower"], row["upper"]))
        assert mine.positives == row["positives"]
    points = pl.read_csv(small_study / "results" / "operation.csv", infer_schema_length=None).filter(
        (pl.col("approach") == "1channel-meta") & (pl.col("split") == "resample-1") & (pl.col("rule") == "youden")
    )
    for row in points.iter_rows(named=True):
        assert ours[row["finding"]].sensitivity == pytest.approx(row["sensitivity"])
        assert ours[row["finding"]].specificity_upper == pytest.approx(row["specificity_upper"])


def test_the_population_is_the_training_part(small_study, bundle):
    split = read_split(small_study / "splits" / "resample-1.json")
    table = read_table(small_study)
    training = table.filter(pl.col("patient_id").is_in(list(split.patients["train"])))
    population = bundle.record.population
    assert (population.images, population.patients) == (training.height, training["patient_id"].n_unique())
    assert population.age_quantiles[50] == pytest.approx(training["age_years"].median())
    assert population.sexes["F"] == (training["sex"] == "F").sum()
    assert population.prevalence("Effusion") == pytest.approx((training["Effusion"] == 1).mean())


def test_an_ensemble_says_what_its_members_are(ensemble):
    assert [(one.run.approach, one.run.split) for one in ensemble.members] == [
        ("1channel", "resample-1"), ("large-meta", "resample-1"), ("1channel", "resample-2"),
    ]  # fmt: skip
    assert ensemble.store_sizes == (72, 136)
    assert ensemble.features == ("age", "sex", "view")
    assert {result.split for result in ensemble.record.test} == {"resample-1", "resample-2"}
    assert (ensemble.folder / "members" / "3.safetensors").is_file()
    assert not (ensemble.folder / "model.safetensors").exists()
    text = (ensemble.folder / "README.md").read_text()
    assert "3 networks" in text
    assert "share no validation part" in text


def test_an_ensemble_of_one_split_is_measured_as_one(small_study, tmp_path):
    runs = (RunName("1channel", "resample-1", 0), RunName("1channel-meta", "resample-1", 0))
    made = make_bundle(small_study, runs, tmp_path / "pair")
    table = read_table(small_study)
    scores = []
    for run, member in zip(runs, made.members, strict=True):
        of_effusion = member.calibrations["Effusion"]
        own = predictions(small_study, run, "test").sort("image_id")
        scores.append(expit(of_effusion.intercept + of_effusion.slope * own["Effusion"].to_numpy().astype(float)))
    mean = np.mean(scores, axis=0)
    present = own.select("image_id").join(table, on="image_id", maintain_order="left")["Effusion"].to_numpy() == 1
    pairs = (mean[present][:, None] > mean[~present]) + 0.5 * (mean[present][:, None] == mean[~present])
    found = next(result.auc for result in made.record.test if result.finding == "Effusion")
    assert found == pytest.approx(pairs.mean())


def test_nothing_of_this_machine_or_of_patients_is_in_a_bundle(small_study, small_bundle):
    names = [path.name for path in small_bundle.rglob("*") if path.suffix in {".json", ".md"}]
    assert sorted(names) == ["README.md", "bundle.json", "reference.json"]
    image = pl.read_parquet(small_study / "table.parquet")["image_id"][0]
    for name in names:
        text = (small_bundle / name).read_text()
        assert str(small_study.parent) not in text
        assert image not in text


def test_the_card_says_what_it_is(small_bundle, bundle):
    text = (small_bundle / "README.md").read_text()
    for said in (
        "Research use only; not a medical device.",
        "generated radiographs",
        "reduced profile",
        f"{bundle.record.population.images:,} images",
        bundle.members[0].run.hash[:12],
        "resample-1",
    ):
        assert said in text
    for finding in bundle.answered:
        assert f"| {finding} |" in text


def test_a_bundle_does_not_replace_what_is_there(small_study, small_bundle):
    with pytest.raises(BundleError, match=r"bundle exists already; choose another --out"):
        make_bundle(small_study, choose_runs(small_study, approaches=["1channel"]), small_bundle)


def test_nothing_is_left_behind_when_it_fails(small_study, tmp_path):
    study = tmp_path / "study"
    shutil.copytree(small_study, study)
    config = RunName("1channel", "resample-1", 0).folder(study) / "config.json"
    raw = json.loads(config.read_text())
    altered = {key: value for key, value in raw.items() if key not in {"schema", "hash", "feature_scaling"}}
    altered["store_digest"] = "ab" * 32
    config.write_text(json.dumps(raw | altered | {"hash": RunConfig.model_validate(altered).hash}))
    reseal(config.parent)
    with pytest.raises(BundleError, match=r"another store than the runs were made with \(abababababab\)"):
        make_bundle(study, choose_runs(study, approaches=["1channel"]), tmp_path / "bundle")
    assert not list(tmp_path.glob("bundle*"))


def test_a_run_whose_predictions_are_the_mean_of_views_is_refused(small_study, tmp_path):
    study, run = tmp_path / "study", RunName("1channel", "resample-1", 0)
    shutil.copytree(small_study, study)
    path = run.folder(study) / "config.json"
    recorded = json.loads(path.read_text())
    config = read_run(recorded, where=path).config
    views = with_changes(config.approach, {"test_time.flip": True})
    changed = RunConfig(**{**dict(config), "approach": views})
    path.write_text(json.dumps(changed.record() | {"feature_scaling": recorded["feature_scaling"]}))
    reseal(path.parent)
    with pytest.raises(BundleError, match=r"1channel: its predictions are the mean of 2 views \(test_time\)"):
        make_bundle(study, [run], tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()
