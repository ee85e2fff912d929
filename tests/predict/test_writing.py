"""Predictions as files that other tools read."""

import json

import polars as pl
import pytest

from cxrbench.bundle import load_bundle
from cxrbench.errors import ConfigError
from cxrbench.evaluate.matching import read_predictions
from cxrbench.predict import Predictor, Request
from cxrbench.predict.writing import check_format, check_place, write_predictions


@pytest.fixture(scope="module")
def answered(small_study, small_bundle):
    bundle = load_bundle(small_bundle)
    films = sorted((small_study.parent / "films").rglob("*.png"))[:3]
    requests = [
        Request(path=path, age_years=66.5, sex="F", view="PA") for path in [*films, films[0].with_name("gone.png")]
    ]
    return bundle, list(Predictor(bundle).predict_files(requests))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table(answered, tmp_path, suffix):
    bundle, predictions = answered
    path = tmp_path / f"out.{suffix}"
    write_predictions(path, bundle, predictions)
    table = pl.read_csv(path, infer_schema_length=None) if suffix == "csv" else pl.read_parquet(path)
    assert table["path"].to_list() == [one.path for one in predictions]
    assert table["error"].to_list() == [None, None, None, "No such file or directory"]
    for i, finding in enumerate(bundle.answered):
        answers = [one.answer for one in predictions[:3]]
        assert table[finding].to_list()[:3] == pytest.approx([answer.probabilities[i] for answer in answers])
        assert table[f"{finding} present"].to_list()[:3] == [answer.is_present[i] for answer in answers]
        assert table[finding][3] is None
        assert table[f"{finding} calibrated"].to_list() == [bundle.is_calibrated(finding)] * 3 + [None]
    assert {bundle.is_calibrated(finding) for finding in bundle.answered} == {True, False}


def test_it_is_a_file_that_evaluate_reads(answered, tmp_path):
    bundle, predictions = answered
    write_predictions(tmp_path / "out.csv", bundle, predictions[:3])
    read = read_predictions(tmp_path / "out.csv")
    assert read.findings == bundle.answered
    assert read.scores["Mass"].to_list() == pytest.approx([one.answer.probabilities[4] for one in predictions[:3]])


def test_json(answered, tmp_path):
    bundle, predictions = answered
    write_predictions(tmp_path / "out.json", bundle, predictions)
    raw = json.loads((tmp_path / "out.json").read_text())
    assert raw["bundle"] == bundle.digest
    assert raw["notices"][0] == "Research use only; not a medical device."
    assert raw["predictions"][3] == {"path": predictions[3].path, "error": "No such file or directory"}
    mass = raw["predictions"][0]["findings"]["Mass"]
    assert mass["logits"] == pytest.approx([float(predictions[0].answer.logits[0, 4])])
    for finding in bundle.answered:
        said = raw["predictions"][0]["findings"][finding]["is_calibrated"]
        assert said == raw["findings"][finding]["is_calibrated"] == bundle.is_calibrated(finding)


def test_nothing_of_the_patient_but_the_path(answered, tmp_path):
    bundle, predictions = answered
    for name in ("out.csv", "out.json"):
        write_predictions(tmp_path / name, bundle, predictions)
    columns = set(pl.read_csv(tmp_path / "out.csv").columns)
    numbers = {f"{name}{what}" for name in bundle.answered for what in ("", " calibrated", " present", " percentile")}
    assert columns == {"path", "error", "warnings", *numbers}
    first = json.loads((tmp_path / "out.json").read_text())["predictions"][0]
    assert set(first) == {"path", "warnings", "findings"}


@pytest.mark.parametrize("suffix", ["CSV", "Parquet", "JSON"])
def test_upper_case_suffixes(answered, tmp_path, suffix):
    bundle, predictions = answered
    path, lower = tmp_path / f"out.{suffix}", tmp_path / f"out.{suffix.lower()}"
    for each in (path, lower):
        check_place(each)
        write_predictions(each, bundle, predictions)
    assert path.read_bytes() == lower.read_bytes()


def test_a_place_where_nothing_can_be_written_is_refused_before(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").touch()
    for path, said in (
        (tmp_path / "folder.csv", "cannot be written .Is a directory."),
        (tmp_path / "file" / "out.csv", "cannot be written"),
        (tmp_path / f"{'n' * 300}.csv", "cannot be written .File name too long."),
        (tmp_path / "out.xls", "unknown format '.xls'"),
    ):
        with pytest.raises(ConfigError, match=said):
            check_place(path)
    check_place(tmp_path / "new" / "out.csv")
    assert list((tmp_path / "new").iterdir()) == []


def test_another_format_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"unknown format '.xlsx'; valid: .parquet, .csv, .json"):
        check_format(tmp_path / "out.xlsx")
