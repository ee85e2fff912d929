"""What does not belong to a study, or is damaged, is refused in one line."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cxrbench import runs, splits
from cxrbench.errors import DataError, StudyError
from cxrbench.evaluate import evaluate_study
from cxrbench.runs import RunName
from fake_study import fake_predictions, result, write_config, write_fake_study


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
    folder = RunName("ft", "resample-1", 0).folder(small)
    write_config(folder, json.loads((folder / "config.json").read_text()) | {"split_digest": "0" * 64})
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


@pytest.mark.parametrize(
    ("key", "value", "said"), [("profile", "paper", "another profile"), ("store_digest", "00" * 32, "another store")]
)
def test_runs_of_two_studies_are_not_compared(tmp_path, key, value, said):
    study = write_fake_study(tmp_path / "study", patients=40, resamples=1, approaches=["ft", "large"])
    folder = RunName("large", "resample-1", 0).folder(study)
    write_config(folder, json.loads((folder / "config.json").read_text()) | {key: value})
    with pytest.raises(
        StudyError, match=f"ft / resample-1 / seed 0 and large / resample-1 / seed 0 were made with {said}"
    ):
        evaluate_study(study)
    assert not (study / "results").exists()


def test_a_run_without_pretrained_weights_stands_beside_one_with(tmp_path):
    study = write_fake_study(tmp_path / "study", patients=40, resamples=1, approaches=["ft", "large"])
    assert evaluate_study(study).exists()


def exchange_weights(folder, digest):
    config = json.loads((folder / "config.json").read_text())
    write_config(folder, config | {"weights": config["weights"] | {"digest": digest}})


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
