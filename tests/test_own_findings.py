"""Three findings of nobody's vocabulary, partly stated, without age, sex or view: from the CSV to every result.

A fourth is in the labels, but no film shows it: no network may answer it, and every result says so.
"""

import json
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pydicom
import pytest

from cxrbench.bundle import choose_runs, load_bundle
from cxrbench.bundle.making import make_bundle
from cxrbench.config import SplitPlan, StudySettings
from cxrbench.evaluate import evaluate_study
from cxrbench.explain.explaining import Explaining
from cxrbench.explain.explaining_bundles import BundleExplainer
from cxrbench.predict import Predictor, gather, write_predictions
from cxrbench.report import write_report
from cxrbench.study import carry_out, make_plan, prepare_study
from dicom_film import write_film

OWN = ("Fracture/Fissure", "Stent", "Línea PICC")
NEVER = "Balloon pump of the aorta"
SIDE, PATIENTS = 72, 40
FORMAT = f"""
name: our hospital
image_id: file
patient_id: patient
labels:
  columns: {{Fracture/Fissure: fracture, Stent: stent, Línea PICC: picc, {NEVER}: pump}}
  present: ["yes"]
  absent: ["no"]
"""
APPROACH = """
name: tiny-own
summary: the smallest network
network:
  backbone: {resnet: {depth: 50, blocks: [1, 1, 1, 1], width: 4}}
  weights: none
  head: linear
  features: [age, sex, view]
input: {image_size: 64, store_size: 72, channels: 1, mean: [0.5], std: [0.25]}
recipe: {learning_rate: 0.01, epochs: 1, batch_size: 16}
"""


def write_archive(folder: Path) -> Path:
    """Films with bright corners, three for each patient, and a CSV that states two cells of three."""
    rng = np.random.default_rng(4)
    (folder / "films").mkdir(parents=True)
    lines = ["file,patient,fracture,stent,picc,pump"]
    for number in range(3 * PATIENTS):
        present = rng.random(3) < 0.4
        film = rng.normal(90, 20, (SIDE, SIDE))
        film[:24, :24] += 70 * present[0]
        film[-24:, :24] += 70 * present[1]
        film[-24:, -24:] += 70 * present[2]
        cv2.imwrite(str(folder / "films" / f"{number}.png"), film.clip(0, 255).astype(np.uint8))
        cells = ["yes" if has else "no" for has in present]
        cells[rng.integers(3)] = ""
        lines.append(f"{number}.png,p{number // 3},{','.join(cells)},no")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    (folder / "format.yaml").write_text(FORMAT, encoding="utf-8")
    (folder / "tiny-own.yaml").write_text(APPROACH, encoding="utf-8")
    archive = write_archive(folder / "archive")
    settings = StudySettings(
        data=archive,
        labels=archive / "labels.csv",
        table_format=folder / "format.yaml",
        out=folder / "study",
        approaches=(str(folder / "tiny-own.yaml"),),
        splits=SplitPlan(resamples=2),
    )
    outcomes = list(carry_out(make_plan(prepare_study(settings))))
    assert not [outcome.failure for outcome in outcomes if outcome.failure]
    return folder / "study"


@pytest.fixture(scope="module")
def bundle(study):
    return make_bundle(study, choose_runs(study), study.parent / "bundle")


@pytest.fixture(scope="module")
def dicom(study):
    return write_film(study.parent / "film.dcm", cv2.imread(str(study.parent / "archive/films/7.png"), 0))


def test_the_networks_answer_what_they_could_learn(study):
    record = json.loads((study / "study.json").read_text(encoding="utf-8"))
    assert record["findings"] == list(OWN)
    assert list(record["left_out"]) == [NEVER]
    columns = pl.read_parquet(next(study.glob("runs/*/*/*/predictions-test.parquet"))).columns
    assert tuple(columns[2:]) == OWN


def test_the_report_measures_the_three_and_names_the_fourth(study):
    evaluate_study(study, replicates=0)
    text = write_report(study).read_text(encoding="utf-8")
    for name in (*OWN, NEVER):
        assert name in text
    assert "0 positive patients in the training part of resample-1, resample-2" in text
    assert "the archive is not NIH ChestX-ray14 but our hospital" in text
    measured = pl.read_csv(study / "results/auc.csv")["finding"].unique().to_list()
    assert sorted(measured) == sorted((*OWN, "mean"))
    curves = (study / "report/figures/roc-resample.svg").read_text(encoding="utf-8")
    assert ">Línea PICC<" in curves


def test_the_bundle_says_what_it_does_not_answer(bundle):
    assert bundle.answered == bundle.record.vocabulary.names == OWN
    assert list(bundle.record.unanswered) == [NEVER]
    assert f"Not answered. {NEVER}: 0 positive patients in the training part of" in bundle.record.notices[-1]
    assert f"| {NEVER} | 0 positive patients" in bundle.card
    assert bundle.record.population.unknown_ages == bundle.record.population.images
    assert bundle.record.population.stated["Stent"] < bundle.record.population.images
    assert bundle.record.members[0].feature_scaling.means == {"age": 0.5, "sex": 0.5, "view": 0.5}


def test_predictions_hold_the_three(bundle, study, tmp_path):
    predictor = Predictor(bundle, backend="torch")
    predictions = list(predictor.predict_files(gather([str(study.parent / "archive/films/1.png")])))
    write_predictions(tmp_path / "p.csv", bundle, predictions)
    table = pl.read_csv(tmp_path / "p.csv")
    assert [name for name in table.columns if name in (*OWN, NEVER)] == list(OWN)
    write_predictions(tmp_path / "p.json", bundle, predictions)
    document = json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))
    assert list(document["findings"]) == list(OWN)
    assert list(document["not_answered"]) == [NEVER]
    assert list(document["predictions"][0]["findings"]) == list(OWN)


def test_a_film_is_explained(bundle, study, tmp_path):
    (request,) = gather([str(study.parent / "archive/films/1.png")])
    told = BundleExplainer(bundle).explain(request, tmp_path / "out", how=Explaining(findings=("linea picc", OWN[0])))
    assert told.answers["finding"].to_list() == list(OWN)
    assert (tmp_path / "out/Línea PICC-cam.png").is_file()
    assert (tmp_path / "out/Fracture-Fissure-cam.png").is_file()


def test_a_structured_report_has_private_codes_of_their_own(bundle, dicom, tmp_path):
    pacs = pytest.importorskip("cxrbench.pacs", reason="needs the extra `pacs`")
    with closing(pacs.Answerer(Predictor(bundle, backend="torch"))) as answerer:
        report = answerer.answer(dicom).report
    report.save_as(tmp_path / "report.dcm", enforce_file_format=True)
    read = pydicom.dcmread(tmp_path / "report.dcm")
    codes = {
        (item.CodeValue, item.CodingSchemeDesignator): item.CodeMeaning
        for element in read.iterall()
        if element.VR == "SQ" and element.keyword == "ConceptCodeSequence"
        for item in element.value
    }
    own = {finding.coded.value: finding.name for finding in bundle.record.vocabulary.findings}
    assert list(own)[:2] == ["FRACTURE_FISSURE", "STENT"]
    assert {value: codes[value, "99CXRBENCH"] for value in own} == own
    schemes = [item.CodingSchemeDesignator for item in read.CodingSchemeIdentificationSequence]
    assert schemes == ["99CXRBENCH"]
    texts = [element.value for element in read.iterall() if element.keyword == "TextValue"]
    assert any(NEVER in text for text in texts)
    assert read_by_the_validator(tmp_path / "report.dcm") == []


def read_by_the_validator(path: Path) -> list[str]:
    """Errors that dciodvfy finds; none where it is not installed."""
    if not shutil.which("dciodvfy"):
        return []
    said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False, errors="replace")
    return [line for line in (said.stderr + said.stdout).splitlines() if line.startswith(("Error", "Abort"))]


def test_the_server_answers_the_three(bundle, dicom):
    serve = pytest.importorskip("cxrbench.serve", reason="needs the extra `serve`")
    from starlette.testclient import TestClient  # noqa: PLC0415 - of the same extra

    app = serve.create_app({"own": load_bundle(bundle.folder)}, serve.ServeSettings(workers=1, time_limit_s=300))
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        answer = client.post("/v1/predict", files={"film": dicom.read_bytes()}).json()
        assert [one["finding"] for one in answer["findings"]] == list(OWN)
        assert not any(one["means_none"] for one in answer["findings"])
        assert list(answer["bundle"]["not_answered"]) == [NEVER]
        refused = client.post("/v1/explain", files={"film": dicom.read_bytes()}, data={"finding": NEVER})
        assert refused.status_code == 422
        card = client.get("/v1/bundles/own/card").text
    assert NEVER in card
