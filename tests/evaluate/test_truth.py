"""Files of predictions find their labels, and are refused where the two do not belong together."""

import json

import numpy as np
import polars as pl
import pytest

from cxrbench import runs
from cxrbench.config import Vocabulary
from cxrbench.errors import DataError
from cxrbench.evaluate.power import power
from cxrbench.evaluate.predictions import evaluate_files
from cxrbench.runs import RunName
from fake_study import fake_scores, write_fake_study


def test_images_are_found_without_their_folder_or_ending(table, labels, good, tmp_path):
    expected = evaluate_files(good, labels, tmp_path / "expected").tables["auc"]
    for name in (
        pl.format("images_001/images/{}", "Image Index"),
        pl.col("Image Index").str.replace(".png", "", literal=True),
    ):
        path = tmp_path / "good.csv"
        fake_scores(table, 1.5, seed=1).with_columns(name.alias("Image Index")).write_csv(path)
        assert evaluate_files(path, labels, tmp_path / "results").tables["auc"].equals(expected)


def test_labels_missing_for_some_images(table, labels, good, tmp_path):
    extra = fake_scores(table, 1.0).head(2).with_columns(pl.Series("Image Index", ["x.png", "y.png"]))
    pl.concat([pl.read_csv(good), extra]).write_csv(good)
    with pytest.raises(DataError, match=r"2 images of .*good.csv have no label in .*\(first: x.png\)"):
        evaluate_files(good, labels, tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_labels_of_another_archive(labels, good, tmp_path):
    other = pl.read_csv(good).with_row_index().with_columns(pl.format("case{}.png", "index").alias("Image Index"))
    other.drop("index").write_csv(good)
    with pytest.raises(DataError, match=r"no image of .*good.csv has a label .*first: case0.png"):
        evaluate_files(good, labels, tmp_path / "results")


def test_patients_that_were_trained_on(table, labels, good, tmp_path):
    trained = tmp_path / "train.txt"
    trained.write_text(f"{table['image_id'][0]}\n")
    with pytest.raises(DataError, match=rf"1 patients of the test images .*first: {table['patient_id'][0]}\)"):
        evaluate_files(good, labels, tmp_path / "results", trained_on=trained)


def test_training_patients_apart_are_fine(table, labels, good, tmp_path):
    trained = tmp_path / "train.txt"
    trained.write_text(f"{table['patient_id'][0]}\n")
    pl.read_csv(good).filter(table["patient_id"] != table["patient_id"][0]).write_csv(good)
    assert evaluate_files(good, labels, tmp_path / "results", trained_on=trained).patients == 149


def test_a_list_that_names_nobody(labels, good, tmp_path):
    trained = tmp_path / "train.txt"
    trained.write_text("somebody else\n")
    with pytest.raises(DataError, match="names no image or patient"):
        evaluate_files(good, labels, tmp_path / "results", trained_on=trained)


def test_label_column_of_another_version(table, labels, good, tmp_path):
    cells = pl.read_csv(labels)["Finding Labels"].to_list()
    cells[3] = "Hernia|Edema"
    pl.read_csv(good).with_columns(pl.Series("Finding Labels", cells)).write_csv(good)
    with pytest.raises(DataError, match=rf"another version of the labels .*1 of .*first: {table['image_id'][3]}\)"):
        evaluate_files(good, labels, tmp_path / "results")


def test_a_run_of_a_study_with_other_labels(tmp_path):
    study = write_fake_study(tmp_path / "study", patients=40, resamples=1)
    predictions = RunName("ft", "resample-1", 0).folder(study) / "predictions-test.parquet"
    same = study / runs.TABLE_FILE
    assert evaluate_files(predictions, same, tmp_path / "results").tables["auc"].height
    image = pl.read_parquet(predictions)["image_id"][0]
    other = tmp_path / "other.parquet"
    pl.read_parquet(same).with_columns(
        pl.when(pl.col("image_id") == image).then(1 - pl.col("Mass")).otherwise("Mass").cast(pl.Int8).alias("Mass")
    ).write_parquet(other)
    with pytest.raises(DataError, match=rf"1 of \d+ images differ \(first: {image}\)"):
        evaluate_files(predictions, other, tmp_path / "again")


def test_a_study_of_other_findings_brings_its_own_vocabulary(tmp_path):
    findings = ("Effusion", "Infiltration")
    study = write_fake_study(tmp_path / "study", patients=60, resamples=1, findings=findings)
    table = study / runs.TABLE_FILE
    renamed = {"Effusion": "Erguss", "Infiltration": "Verschattung"}
    pl.read_parquet(table).rename(renamed).write_parquet(tmp_path / "labels.parquet")
    run = pl.read_parquet(RunName("ft", "resample-1", 0).folder(study) / "predictions-test.parquet")
    chances = run.rename(renamed).with_columns(
        (1 / (1 + (-pl.col(name)).exp())).alias(name) for name in renamed.values()
    )
    chances.write_csv(tmp_path / "a.csv")
    result = evaluate_files(tmp_path / "a.csv", tmp_path / "labels.parquet", tmp_path / "results")
    assert result.findings == ("Erguss", "Verschattung")
    assert power(tmp_path / "labels.parquet")["finding"].to_list() == ["Erguss", "Verschattung", "mean"]


def test_findings_of_another_vocabulary(table, labels, good, tmp_path):
    own = Vocabulary.of(["Effusion", {"name": "Infiltrates", "aliases": ["Infiltration"]}, "Scoliosis"], name="own")
    table.drop("Mass").write_parquet(tmp_path / "table.parquet")
    result = evaluate_files(good, tmp_path / "table.parquet", tmp_path / "out", vocabulary=own, replicates=0)
    assert result.findings == ("Effusion", "Infiltrates")
    whole = evaluate_files(good, labels, tmp_path / "whole", replicates=0).tables["auc"]
    ours, theirs = (
        rows.filter(group="all", finding=name)["auc"].item()
        for rows, name in ((result.tables["auc"], "Infiltrates"), (whole, "Infiltration"))
    )
    assert ours == theirs
    record = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert Vocabulary.model_validate(record["vocabulary"]) == own.subset(["Effusion", "Infiltrates"])
    with pytest.raises(DataError, match=r"table.parquet states no finding of the vocabulary 'teeth': it has Atelec"):
        evaluate_files(
            good, tmp_path / "table.parquet", tmp_path / "x", vocabulary=Vocabulary.of(["Tooth"], name="teeth")
        )


def test_labels_in_columns_of_their_own_names(tmp_path):
    rng = np.random.default_rng(0)
    present, people = rng.random((60, 2)) < 0.4, np.arange(60) // 2
    rows = [f"{k}.png,P{people[k]},{int(present[k, 0])},{int(present[k, 1]) if k % 3 else ''}" for k in range(60)]
    (tmp_path / "labels.csv").write_text("\n".join(["film,person,a,b", *rows]))
    columns = "{Fracture: a, Clip: b}"
    (tmp_path / "form.yaml").write_text(
        f"name: ours\nimage_id: film\npatient_id: person\nlabels: {{columns: {columns}}}\n"
        "vocabulary: [Fracture, {name: Clip, is_pathology: false}]\n"
    )
    chances = rng.random((60, 2)) * 0.5 + present * 0.3
    lines = [f"{k}.png,{chances[k, 0]},{chances[k, 1]}" for k in range(60)]
    (tmp_path / "model.csv").write_text("\n".join(["image,fracture,clip", *lines]))
    table_format = tmp_path / "form.yaml"
    auc = evaluate_files(
        tmp_path / "model.csv", tmp_path / "labels.csv", tmp_path / "out", table_format=table_format, replicates=0
    ).tables["auc"]
    assert auc["finding"].to_list() == ["Fracture", "Clip", "mean"]
    by_finding = dict(auc.select("finding", "auc").iter_rows())
    assert by_finding["mean"] == by_finding["Fracture"] != by_finding["Clip"]
    assert power(tmp_path / "labels.csv", table_format=table_format)["finding"].to_list() == [
        "Fracture",
        "Clip",
        "mean",
    ]
