"""What a study answers is fixed when it is planned: no network answers a finding that it could not learn."""

import json
import re
import shutil

import cv2
import numpy as np
import polars as pl
import pytest

from cxrbench.config import StudySettings, Vocabulary, load_vocabulary
from cxrbench.errors import CxrbenchError, StudyError
from cxrbench.evaluate import evaluate_study
from cxrbench.runs import STUDY_FILE, predictions_file, read_study_record
from cxrbench.splits import Split
from cxrbench.study import carry_out, make_plan, prepare_study
from cxrbench.study import performing as performing_module
from cxrbench.study.outputs import choose_outputs, keep_outputs

FORM = """
name: our hospital
files: [labels.csv]
image_id: film
patient_id: person
labels:
  columns: {Fracture: fracture, Scoliosis: scoliosis, Pacemaker: pacemaker}
"""


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Forty patients, one film each; one finding is stated of every second film, one of none but two."""
    folder, rng = tmp_path_factory.mktemp("own") / "films", np.random.default_rng(0)
    folder.mkdir()
    lines = ["film,person,fracture,scoliosis,pacemaker"]
    for number in range(40):
        cv2.imwrite(str(folder / f"{number}.png"), rng.integers(0, 255, (40, 40), np.uint8))
        scoliosis = "" if number % 2 else number % 4 // 2
        lines.append(f"{number}.png,P{number:02},{number % 3 // 2},{scoliosis},{0 if number in (3, 4) else ''}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    (folder.parent / "form.yaml").write_text(FORM)
    return folder


def settings(films, out, **changes):
    fields = {
        "data": films,
        "out": out,
        "table_format": films.parent / "form.yaml",
        "approaches": ("1channel",),
        "profile": "small",
        "splits": {"resamples": 2},
        "workers": 1,
    }
    return StudySettings.model_validate(fields | changes)


def test_three_invented_findings_from_the_csv_to_results(films, tmp_path, monkeypatch):
    def fit(config, folder, *, table, split, **materials):
        for part in ("val", "test"):
            rows = table[split.rows(table, part)].select("image_id", "patient_id")
            chances = np.random.default_rng(0).normal(size=(rows.height, len(config.findings))).astype(np.float32)
            columns = {name: pl.Series(chances[:, k]) for k, name in enumerate(config.findings)}
            rows.with_columns(**columns).write_parquet(folder / predictions_file(part))
        (folder / "config.json").write_text(json.dumps(config.record()))
        (folder / "history.csv").write_text("epoch,train_loss,val_loss,learning_rate,seconds\n0,0.5,0.6,0.001,1.0\n")

    monkeypatch.setattr(performing_module, "fit_run", fit)
    study = settings(films, tmp_path / "study")
    materials = prepare_study(study)
    assert materials.table.columns[7:] == ["Fracture", "Scoliosis", "Pacemaker"]
    assert materials.table["Scoliosis"].null_count() == 20
    assert materials.findings == ("Fracture", "Scoliosis")
    assert not [outcome.failure for outcome in carry_out(make_plan(materials)) if outcome.failure]
    auc = pl.read_csv(evaluate_study(study.out, replicates=20) / "auc.csv", infer_schema_length=None)
    assert auc["finding"].unique(maintain_order=True).to_list() == ["Fracture", "Scoliosis", "mean"]
    assert auc["group"].unique().to_list() == ["all"]  # neither age nor sex nor view is known


def test_a_finding_with_one_class_is_left_out_and_named_with_its_split(films, tmp_path):
    study = settings(films, tmp_path / "study")
    materials = prepare_study(study)
    record = read_study_record(study.out)
    assert record["schema"] == 2
    assert record["findings"] == ["Fracture", "Scoliosis"]
    assert list(record["left_out"]) == ["Pacemaker"]
    assert record["left_out"]["Pacemaker"]["resample-1"] in {"0 positive patients", "not stated"}
    assert Vocabulary.model_validate(record["vocabulary"]).names == ("Fracture", "Scoliosis", "Pacemaker")
    (note,) = [note for note in materials.notes if "Pacemaker" in note]
    assert re.search(r"no network answers.*Pacemaker \(resample-1 and 1 more: ", note)
    assert {task.config.findings for task in make_plan(materials).to_do} == {("Fracture", "Scoliosis")}


def test_another_choice_of_splits_keeps_the_outputs(films, tmp_path):
    first = prepare_study(settings(films, tmp_path / "study"))
    for resamples in (1, 4):
        again = prepare_study(settings(films, tmp_path / "study", splits={"resamples": resamples}))
        assert again.findings == first.findings
        assert any("Pacemaker" in note for note in again.notes)


@pytest.mark.parametrize(("key", "value"), [("vocabulary", "nih15"), ("min_patients", 3)])
def test_other_findings_are_another_study(films, tmp_path, key, value):
    prepare_study(settings(films, tmp_path / "study"))
    with pytest.raises(StudyError, match=f"began with {key} .* not {value!r}; choose another --out"):
        prepare_study(settings(films, tmp_path / "study", **{key: value}))


def test_the_vocabulary_of_the_settings_comes_before_that_of_the_format(films, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("name: own\nfindings: [Scoliosis, Fracture, {name: Pacemaker, is_pathology: false}, Rib notch]\n")
    study = settings(films, tmp_path / "study", vocabulary=str(own))
    assert prepare_study(study).findings == ("Scoliosis", "Fracture")
    assert read_study_record(study.out)["left_out"]["Rib notch"] == dict.fromkeys(
        ("resample-1", "resample-2"), "not stated"
    )
    own.write_text("name: own\nfindings: [Scoliosis, Fractures]\n")
    with pytest.raises(CxrbenchError, match="unknown finding 'Fracture'; did you mean Fractures") as caught:
        prepare_study(settings(films, tmp_path / "another", vocabulary=str(own)))
    assert "\n" not in str(caught.value)


def test_a_vocabulary_is_compared_by_what_it_says(films, tmp_path):
    own, out = tmp_path / "own.yaml", tmp_path / "study"
    text = "name: own\nfindings: [Scoliosis, Fracture, {name: Pacemaker, is_pathology: false}, Rib notch]\n"
    own.write_text(text)
    prepare_study(settings(films, out, vocabulary=str(own)))
    moved = own.rename(tmp_path / "moved.yaml")
    prepare_study(settings(films, out, vocabulary=str(moved)))
    moved.write_text(text.replace(", is_pathology: false", ""))
    with pytest.raises(StudyError, match=r"moved\.yaml' has another Pacemaker now; choose another --out"):
        prepare_study(settings(films, out, vocabulary=str(moved)))


def test_a_study_without_outputs_leaves_nothing_in_the_way_of_another_vocabulary(films, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("name: own\nfindings: [Pacemaker, Rib notch]\n")
    out, form = tmp_path / "study", write_form(tmp_path, "Pacemaker: pacemaker")
    with pytest.raises(StudyError, match=r"no finding of the vocabulary 'own' can be learnt on every split: Pacemaker"):
        prepare_study(settings(films, out, vocabulary=str(own), table_format=form))
    assert prepare_study(settings(films, out)).findings == ("Fracture", "Scoliosis")


def test_a_study_of_version_0_1_keeps_the_findings_of_its_table(films, tmp_path):
    form = write_form(tmp_path, "Mass: fracture")  # version 0.1 gave every table all 15 columns
    as_then = settings(films, tmp_path / "study", vocabulary="nih15", table_format=form)
    table = prepare_study(as_then).table
    assert table.columns[7:] == list(load_vocabulary().names)
    path = as_then.out / STUDY_FILE
    record = json.loads(path.read_text())
    for key in ("schema", "vocabulary", "findings", "left_out"):
        del record[key]
    for key in ("vocabulary", "min_patients"):
        del record["settings"][key]
    path.write_text(json.dumps(record))
    now = as_then.model_dump() | {"vocabulary": None}
    for _ in range(2):
        materials = prepare_study(StudySettings.model_validate(now))
        assert materials.findings == load_vocabulary().names
        assert any("has only one class of them: Atelectasis (resample-1 and 1 more" in note for note in materials.notes)
    assert read_study_record(as_then.out)["findings"] == list(load_vocabulary().names)


def write_form(folder, columns):
    path = folder / "form.yaml"
    path.write_text(FORM.replace("Fracture: fracture, Scoliosis: scoliosis, Pacemaker: pacemaker", columns))
    return path


def test_a_study_of_a_later_schema_is_one_line(films, tmp_path):
    study = settings(films, tmp_path / "study")
    prepare_study(study)
    path = study.out / STUDY_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 3}))
    with pytest.raises(
        StudyError, match=r"study.json has schema 3, of a later version .* reads up to 2; use that version"
    ):
        prepare_study(study)
    shutil.rmtree(study.out)


def table(**columns):
    """One image of each patient."""
    patients = [f"P{number}" for number in range(len(next(iter(columns.values()))))]
    return pl.DataFrame({"patient_id": patients, **columns}, schema_overrides=dict.fromkeys(columns, pl.Int8))


def split(name, train, test):
    members = {part: tuple(f"P{number}" for number in of) for part, of in (("train", train), ("test", test))}
    return Split(name, "resample", 0, {**members, "val": ()})


LABELS = table(Rare=[1, 0, 0, 0, 0, 0], Common=[1, 0, 1, 0, 1, 0], Always=[1, 1, 1, 1, None, 1], Never=[None] * 6)
WHOLE = split("whole", range(6), ())
SECOND = split("second", range(1, 6), (0,))
FOUR = Vocabulary.of(["Rare", "Common", "Always", "Never"])


def test_both_classes_are_counted_by_patient_on_every_split():
    outputs = choose_outputs(FOUR, LABELS, [WHOLE, SECOND], min_patients=1)
    assert outputs.findings == ("Common",)
    assert outputs.left_out == {
        "Rare": {"second": "0 positive patients"},
        "Always": {"whole": "0 negative patients", "second": "0 negative patients"},
        "Never": {"whole": "not stated", "second": "not stated"},
    }
    assert choose_outputs(FOUR, LABELS, [WHOLE], min_patients=1).findings == ("Rare", "Common")


def test_images_of_one_patient_are_one_patient():
    one = LABELS.with_columns(patient_id=pl.Series(["P0", "P1", "P0", "P1", "P0", "P1"]))
    assert choose_outputs(FOUR, one, [WHOLE], min_patients=1).findings == ("Rare", "Common")
    with pytest.raises(
        StudyError, match=re.escape("Common (whole: 1 positive patient and 1 negative patient (2 needed)")
    ):
        choose_outputs(FOUR, one, [WHOLE], min_patients=2)


def test_without_any_finding_there_is_no_study():
    with pytest.raises(
        StudyError, match=r"no finding of the vocabulary 'own' can be learnt .*Rare \(second: 0 pos"
    ) as caught:
        choose_outputs(FOUR.subset(["Rare", "Never"]), LABELS, [SECOND], min_patients=1)
    assert "\n" not in str(caught.value)


def test_a_new_split_that_lacks_an_output_is_refused_with_its_name():
    record = choose_outputs(FOUR, LABELS, [WHOLE], min_patients=1).record()
    kept = keep_outputs(record, FOUR, LABELS, [WHOLE], known=["whole"], min_patients=1)
    assert (kept.findings, kept.left_out) == (("Rare", "Common"), record["left_out"])
    with pytest.raises(StudyError, match=r"^Rare: 0 positive patients in the training part of second, .*another --out"):
        keep_outputs(record, FOUR, LABELS, [WHOLE, SECOND], known=["whole"], min_patients=1)
