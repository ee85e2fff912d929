"""Runs read back: the same network, the same films, the same split."""

import json
import shutil

import numpy as np
import polars as pl
import pytest

from cxrbench.config import changed, read_run
from cxrbench.errors import CxrbenchError, DataError, IntegrityError, StudyError
from cxrbench.explain.boxes import film_boxes
from cxrbench.explain.trained import chosen_runs, load_trained, one_run, open_study
from cxrbench.runs import CONFIG_FILE, WEIGHTS_FILE, RunName, predictions_file
from cxrbench.training.inference import predict
from sealing import reseal

META = RunName("1channel-meta", "resample-1", 0)


@pytest.fixture
def copied(study_folder, tmp_path):
    return shutil.copytree(study_folder, tmp_path / "study")


def test_the_network_answers_as_it_did_when_it_was_trained(opened, meta_run):
    kept = pl.read_parquet(META.folder(opened.folder) / predictions_file("test"))
    part = meta_run.part(opened, opened.rows(kept["image_id"].to_list()))
    ours = predict(meta_run.classifier, part, approach=meta_run.config.approach)
    assert ours == pytest.approx(kept.drop("image_id", "patient_id").to_numpy(), abs=1e-5)


def test_test_rows_are_the_predicted_images(opened, meta_run):
    kept = pl.read_parquet(META.folder(opened.folder) / predictions_file("test"))
    assert set(meta_run.test_rows(opened.table)["image_id"]) == set(kept["image_id"])
    assert meta_run.part_name(kept["patient_id"][0]) == "test"
    assert meta_run.part_name("nobody") is None


def test_runs_are_chosen_by_name(study_folder):
    assert chosen_runs(study_folder, approaches=["1channel-meta"]) == [META]
    assert one_run(study_folder, approach="1channel-meta", split=None, seed=0) == META
    with pytest.raises(StudyError, match=r"approach 'larg'; finished: 1channel, 1channel-meta"):
        chosen_runs(study_folder, approaches=["larg"])
    with pytest.raises(StudyError, match=r"seed 7; finished: 0"):
        one_run(study_folder, approach=None, split=None, seed=7)
    with pytest.raises(StudyError, match="name one with --approach: 1channel, 1channel-meta"):
        one_run(study_folder, approach=None, split=None, seed=0)


def test_an_image_that_the_study_lacks_is_named(opened):
    with pytest.raises(StudyError, match=r"has no image stranger\.png"):
        opened.rows([opened.table["image_id"][0], "stranger.png"])


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("split_digest", "0" * 64, "made with another split"),
        ("store_digest", "0" * 64, "made with another store"),
    ],
)
def test_a_run_of_something_else_is_refused(copied, key, value, said):
    path = META.folder(copied) / CONFIG_FILE
    raw = json.loads(path.read_text())
    config = changed(read_run(raw, where=path).config, {key: value}, where="test")
    path.write_text(json.dumps(raw | config.record()))
    reseal(path.parent)
    with pytest.raises(StudyError, match=said):
        load_trained(open_study(copied), META)


@pytest.mark.parametrize(
    ("key", "value", "said"), [("seed", 9, "belongs to"), ("profile", "paper", "do not match its recorded hash")]
)
def test_a_configuration_that_was_changed_is_refused(copied, key, value, said):
    path = META.folder(copied) / CONFIG_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    reseal(path.parent)
    with pytest.raises(CxrbenchError, match=said):
        load_trained(open_study(copied), META)


def test_damaged_weights_are_named(copied):
    path = META.folder(copied) / WEIGHTS_FILE
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(IntegrityError, match=WEIGHTS_FILE):
        load_trained(open_study(copied), META)
    path.unlink()
    with pytest.raises(IntegrityError, match=WEIGHTS_FILE):
        load_trained(open_study(copied), META)


def test_no_study(tmp_path):
    with pytest.raises(StudyError, match="does not exist"):
        open_study(tmp_path)


def write_boxes(path, rows):
    path.write_text("Image Index,Finding Label,Bbox [x,y,w,h],,,\n" + "".join(f"{row},,,\n" for row in rows))
    return path


def test_the_releases_boxes_come_in_the_films_own_pixels(opened, tmp_path):
    image = opened.table["image_id"][0]  # 80 x 80 pixels
    rows = [f"{image},Infiltrate,512,256,128,64", "stranger.png,Mass,1,1,5,5"]
    found = film_boxes(write_boxes(tmp_path / "boxes.csv", rows), opened)
    assert found.rows(named=True) == [
        {
            "image_id": image,
            "patient_id": opened.table["patient_id"][0],
            "finding": "Infiltration",
            "x": 40.0,
            "y": 20.0,
            "width": 10.0,
            "height": 5.0,
        }
    ]


def test_generated_lesions_are_boxes_too(opened, tmp_path):
    image = opened.table["image_id"][0]
    lesion = {"image_id": [image], "finding": ["Mass"], "x": [0.5], "y": [0.25], "width": [0.1], "height": [0.2]}
    pl.DataFrame(lesion).write_parquet(tmp_path / "lesions.parquet")
    found = film_boxes(tmp_path / "lesions.parquet", opened).select("x", "y", "width", "height")
    assert np.allclose(found.row(0), [40, 20, 8, 16])


def test_boxes_of_other_films_are_refused(opened, tmp_path):
    with pytest.raises(DataError, match="none of its 1 boxes is on a film"):
        film_boxes(write_boxes(tmp_path / "boxes.csv", ["stranger.png,Mass,1,1,5,5"]), opened)
