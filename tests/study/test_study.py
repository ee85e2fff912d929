"""Approaches x splits -> runs: what is done stays done, what fails is told."""

import errno
import fcntl
import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest
import torch

from cxrbench.config import RunConfig, StudySettings, load_approach, load_profile
from cxrbench.errors import ConfigError, DataError, IntegrityError, StudyError, TrainingError, WeightsError
from cxrbench.files import partial_of
from cxrbench.runs import FAILURE_FILE, RunName, finished_runs, predictions_file
from cxrbench.study import carry_out, describe_plan, make_plan, prepare_study
from cxrbench.study import performing as performing_module
from cxrbench.study.preparation import locked
from pretrained import TINY, approach_from, state_of
from sealing import reseal


@pytest.fixture(scope="module")
def films(make_archive, tmp_path_factory):
    return make_archive(tmp_path_factory.mktemp("archive") / "films", patients=20)


def settings(films, out, **changes):
    fields = {
        "data": films,
        "out": out,
        "approaches": ("1channel", "1channel-meta"),
        "profile": "small",
        "splits": {"resamples": 2},
        "recipe": {"epochs": 1},
        "workers": 1,
    }
    return StudySettings.model_validate(fields | changes)


@pytest.fixture
def quick_fit(monkeypatch):
    """Stand in for training where the test is about the plan; says which runs were made."""
    made = []

    def fit(config, folder, **materials):
        made.append((config.approach.name, config.split))
        (folder / "config.json").write_text(json.dumps(config.record()))
        (folder / "environment.json").write_text(json.dumps({"training_seconds": 60.0}))

    monkeypatch.setattr(performing_module, "fit_run", fit)
    return made


def test_the_plan_is_approaches_times_splits_times_seeds(films, tmp_path):
    plan = make_plan(prepare_study(settings(films, tmp_path / "study", seeds=(0, 1))))
    assert len(plan.to_do) == 8
    assert {task.name.seed for task in plan.to_do} == {0, 1}
    assert {task.config.split for task in plan.to_do} == {"resample-1", "resample-2"}


def test_what_is_done_is_not_done_again(films, tmp_path, quick_fit):
    study = settings(films, tmp_path / "study")
    outcomes = list(carry_out(make_plan(prepare_study(study), only_splits=["resample-1"])))
    assert [outcome.failure for outcome in outcomes] == [None, None]
    plan = make_plan(prepare_study(study))
    assert [task.name.split for task in plan.to_do] == ["resample-2", "resample-2"]
    assert len(plan.done) == 2
    assert "2 done, 2 to do" in describe_plan(plan, study.out)
    assert "about 2 min, one run at a time" in describe_plan(plan, study.out)
    assert "about 1 min, 4 runs at a time" in describe_plan(plan, study.out, workers=4)
    list(carry_out(plan))
    assert quick_fit == [(a, s) for s in ("resample-1", "resample-2") for a in study.approaches]
    assert len(finished_runs(study.out)) == 4


def test_a_failed_run_is_told_and_the_others_are_made(films, tmp_path, quick_fit, monkeypatch):
    quick = performing_module.fit_run

    def failing(config, folder, **materials):
        if config.approach.name == "1channel":
            raise TrainingError("training loss is nan in epoch 3, batch 7")
        quick(config, folder, **materials)

    monkeypatch.setattr(performing_module, "fit_run", failing)
    study = settings(films, tmp_path / "study", splits={"resamples": 1})
    outcomes = list(carry_out(make_plan(prepare_study(study))))
    assert [outcome.failure for outcome in outcomes] == ["training loss is nan in epoch 3, batch 7", None]
    failed = partial_of(RunName("1channel", "resample-1", 0).folder(study.out))
    assert json.loads((failed / FAILURE_FILE).read_text())["type"] == "TrainingError"

    monkeypatch.setattr(performing_module, "fit_run", quick)
    plan = make_plan(prepare_study(study))
    assert [task.name.approach for task in plan.to_do] == ["1channel"]
    assert [outcome.failure for outcome in carry_out(plan)] == [None]
    assert not failed.exists()
    assert FAILURE_FILE not in {path.name for path in RunName("1channel", "resample-1", 0).folder(study.out).iterdir()}


def test_a_run_of_other_settings_is_refused_with_what_differs(films, tmp_path, quick_fit):
    study = settings(films, tmp_path / "study")
    list(carry_out(make_plan(prepare_study(study))))
    path = RunName("1channel", "resample-1", 0).folder(study.out) / "config.json"
    made_with = json.loads(path.read_text())
    made_with["approach"]["recipe"]["epochs"] = 2
    other = {key: made_with[key] for key in RunConfig.model_fields}
    path.write_text(json.dumps(RunConfig.model_validate(other).record()))
    reseal(path.parent)
    with pytest.raises(StudyError, match=r"seed-0: made with other settings \(approach.recipe.epochs\)"):
        make_plan(prepare_study(study))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"profile": "paper"}, "began with profile 'small', not 'paper'"),
        ({"recipe": {"epochs": 2}}, r"began with overrides .*epochs': 1.*, not .*epochs': 2"),
        ({"weights": "stand-in"}, "began with weights 'hub', not 'stand-in'"),
    ],
)
def test_a_study_goes_on_as_it_began(films, tmp_path, change, said):
    prepare_study(settings(films, tmp_path / "study"))
    with pytest.raises(StudyError, match=said):
        prepare_study(settings(films, tmp_path / "study", **change))


def test_a_study_goes_on_when_it_is_called_from_another_folder(films, tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    torch.save(state_of(load_profile("small").apply(load_approach("ots")).network.backbone), tmp_path / "a" / "w.pth")
    own = {"approaches": ("ots",), "out": tmp_path / "study"}
    for folder, path in ((tmp_path, "a/w.pth"), (tmp_path / "a", "w.pth")):
        monkeypatch.chdir(folder)
        overrides = {"network.weights": {"file": {"path": path, "ignore": ("fc.",)}}}
        prepare_study(settings(films, **own, weights=path, overrides=overrides))
    with pytest.raises(StudyError, match=r"began with weights 'w\.pth', not 'other\.pth'"):
        prepare_study(settings(films, **own, weights="other.pth", overrides=overrides))


def test_narrowing_a_study_does_not_forget_its_stand_in_weights(films, tmp_path, monkeypatch):
    monkeypatch.setattr("cxrbench.study.preparation.load_profile", _without_pre_training)
    prepare_study(settings(films, tmp_path / "study", approaches=("ots",), weights="stand-in"))
    prepare_study(settings(films, tmp_path / "study", approaches=("1channel",), weights="stand-in"))
    assert json.loads((tmp_path / "study" / "study.json").read_text())["weights"]["ots"]["is_stand_in"]


def test_runs_side_by_side_equal_runs_one_by_one_in_number(films, tmp_path):
    study = settings(films, tmp_path / "study", splits={"resamples": 1})
    outcomes = list(carry_out(make_plan(prepare_study(study)), workers=2))
    assert [outcome.failure for outcome in outcomes] == [None, None]
    assert len(finished_runs(study.out)) == 2


def test_a_process_that_is_killed_takes_one_run_with_it(films, tmp_path):
    study = settings(films, tmp_path / "study", splits={"resamples": 2})
    plan = make_plan(prepare_study(study))

    others = set(multiprocessing.active_children())  # of tests before

    def kill_one():
        while not list(study.out.glob("runs/*/*/*.partial")):
            time.sleep(0.01)
        (set(multiprocessing.active_children()) - others).pop().kill()

    threading.Thread(target=kill_one, daemon=True).start()
    failures = [outcome.failure for outcome in carry_out(plan, workers=2)]
    assert sorted(failures, key=str) == [None, None, None, "its process was killed, perhaps for want of memory"]
    assert len(finished_runs(study.out)) == 3


def test_a_damaged_run_is_named(films, tmp_path, quick_fit):
    study = settings(films, tmp_path / "study")
    list(carry_out(make_plan(prepare_study(study))))
    (RunName("1channel", "resample-1", 0).folder(study.out) / "config.json").write_text("{")
    with pytest.raises(IntegrityError, match=r"1channel/resample-1/seed-0/config.json has 1 bytes instead of"):
        make_plan(prepare_study(study))


def test_a_damaged_record_of_the_hardware_does_not_end_a_study(films, tmp_path, quick_fit):
    study = settings(films, tmp_path / "study")
    list(carry_out(make_plan(prepare_study(study), only_splits=["resample-1"])))
    plan = make_plan(prepare_study(study))
    for name, damage in zip(plan.done, ("{", "[]"), strict=True):
        (name.folder(study.out) / "environment.json").write_text(damage)
    assert "time: known after the first run" in describe_plan(plan, study.out)


def test_other_splits_in_the_same_folder_are_refused(films, tmp_path):
    prepare_study(settings(films, tmp_path / "study"))
    with pytest.raises(StudyError, match=r"resample-1\.json: drawn with other settings"):
        prepare_study(settings(films, tmp_path / "study", splits={"resamples": 2, "seed": 7}))


def test_changed_labels_are_refused(make_archive, tmp_path):
    films = make_archive(tmp_path / "films", patients=12)
    prepare_study(settings(films, tmp_path / "study"))
    csv = films / "Data_Entry_2017_v2020.csv"
    csv.write_text(csv.read_text().replace("No Finding", "Hernia", 1))
    with pytest.raises(StudyError, match=r"table\.parquet: labels or images of the archive changed"):
        prepare_study(settings(films, tmp_path / "study"))


def test_an_unknown_split_lists_the_valid_ones(films, tmp_path):
    materials = prepare_study(settings(films, tmp_path / "study"))
    with pytest.raises(StudyError, match="unknown split 'resample-9'; this study has: resample-1, resample-2"):
        make_plan(materials, only_splits=["resample-9"])


def test_absent_weights_are_told_before_anything_is_made(films, tmp_path):
    with pytest.raises(WeightsError, match=r"imagenet\.pth: no such weights file"):
        prepare_study(settings(films, tmp_path / "study", approaches=("ft",), weights=str(tmp_path / "imagenet.pth")))
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            "{backbone: {timm: resnet5O}, weights: none}",
            "approach own: .*unknown timm network 'resnet5O'; did you mean",
        ),
        ("{backbone: {timm: test_vit}, weights: none, head: {attention: 5}}", "approach own: head attention: 5 heads"),
        ("{backbone: {module: 'nowhere:f'}, weights: none}", "approach own: .*nowhere cannot be imported"),
        ("{backbone: {module: 'math:sqrt'}, weights: none}", "approach own: backbone module math:sqrt: failed"),
    ],
    ids=["timm", "heads", "module", "function"],
)
def test_a_network_that_cannot_be_built_is_told_before_anything_is_made(films, tmp_path, network, message):
    own = tmp_path / "own.yaml"
    own.write_text(f"extends: 1channel\nname: own\nsummary: a\nnetwork: {network}\ninput: {{image_size: 224}}\n")
    asked = settings(films, tmp_path / "study", approaches=(str(own),), profile="paper")
    with pytest.raises(ConfigError, match=message) as caught:
        prepare_study(asked)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "study").exists()


def test_the_official_split_needs_its_lists(make_archive, tmp_path):
    films = make_archive(tmp_path / "films", patients=12)
    (films / "test_list.txt").unlink()
    with pytest.raises(DataError, match=r"train_val_list\.txt and test_list\.txt"):
        prepare_study(settings(films, tmp_path / "study", splits={"resamples": 0, "official": True}))


def test_the_official_split_and_folds_are_planned(films, tmp_path):
    plan = {"resamples": 0, "folds": 3, "official": True}
    materials = prepare_study(settings(films, tmp_path / "study", splits=plan))
    assert [split.name for split in materials.splits] == ["fold-1", "fold-2", "fold-3", "official"]


def test_missing_images_need_leave(make_archive, tmp_path):
    films = make_archive(tmp_path / "films", patients=12)
    (films / "images" / "00000003_001.png").unlink()
    with pytest.raises(DataError, match=r"1 of the 36 images .*00000003_001\.png.*--allow-missing"):
        prepare_study(settings(films, tmp_path / "study"))
    materials = prepare_study(settings(films, tmp_path / "study", allow_missing=True))
    assert materials.table.height == 35
    assert "1 of 36 listed images are missing" in " ".join(materials.notes)


def test_two_processes_do_not_share_a_study(tmp_path):
    refused = pytest.raises(StudyError, match="another process works on this study")
    with locked(tmp_path / "study"), refused, locked(tmp_path / "study"):
        pass


def test_a_file_system_that_cannot_lock_holds_a_study(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locked(tmp_path / "study"):
        assert (tmp_path / "study").is_dir()


def test_stand_in_weights_are_made_once_and_say_what_they_are(films, tmp_path, monkeypatch):
    study = settings(films, tmp_path / "study", approaches=("ots", "ft"), weights="stand-in")
    monkeypatch.setattr("cxrbench.study.preparation.load_profile", _without_pre_training)
    first = make_plan(prepare_study(study)).to_do
    assert {task.config.weights.source for task in first} == {"stand-in"}
    assert all(task.config.weights.is_stand_in for task in first)
    (path,) = {task.weights for task in first}
    written = path.stat().st_mtime_ns
    again = make_plan(prepare_study(study)).to_do
    assert path.stat().st_mtime_ns == written
    assert [task.config.hash for task in again] == [task.config.hash for task in first]
    assert json.loads((study.out / "study.json").read_text())["weights"]["ots"]["is_stand_in"]


def test_weights_in_place_of_the_hub_s_count_for_what_the_overrides_name_too(films, tmp_path, monkeypatch):
    monkeypatch.setattr("cxrbench.study.preparation.load_profile", _without_pre_training)
    own = {"approaches": ("ots", "1channel"), "weights": "stand-in", "overrides": {"network.weights": "hub"}}
    materials = prepare_study(settings(films, tmp_path / "study", **own))
    assert [each.network.weights.name for each in materials.approaches] == ["stand-in", "stand-in"]
    assert {record.source for _, record in materials.weights.values()} == {"stand-in"}


def test_the_papers_approaches_start_from_a_file(films, tmp_path):
    approach = load_profile("small").apply(load_approach("ots"))
    torch.save(state_of(approach.network.backbone), tmp_path / "w.pth")
    chosen = {"approaches": ("ots", "1channel"), "weights": str(tmp_path / "w.pth")}
    materials = prepare_study(settings(films, tmp_path / "study", **chosen))
    assert materials.approaches[0].input.mean == (0.485, 0.456, 0.406)
    [told] = [note for note in materials.notes if "starts from" in note]
    assert re.match(r"ots starts from w\.pth, trained on unknown data: \d+ tensors with [\d,]+ numbers matched", told)
    record = json.loads((tmp_path / "study" / "study.json").read_text())["weights"]
    assert set(record) == {"ots"}
    assert (record["ots"]["source"], record["ots"]["name"]) == ("file", "w.pth")


def test_weights_that_learnt_the_archives_labels_are_refused_unless_allowed(films, tmp_path):
    torch.save(state_of(TINY), tmp_path / "w.pth")
    weights = {"path": str(tmp_path / "w.pth"), "archives": ["nih"], "with_labels": True, "mean": [0.5], "std": [0.2]}
    own = tmp_path / "own.yaml"

    def prepare(**more):
        raw = approach_from({"file": {**weights, **more}}).model_dump(mode="json")
        own.write_text(json.dumps(raw))
        return prepare_study(settings(films, tmp_path / "study", approaches=(str(own),), profile="paper"))

    with pytest.raises(WeightsError, match=r"approach own: .*learnt labels of nih.*allow_overlap: \[nih\]"):
        prepare()
    materials = prepare(allow_overlap=["nih"])
    assert materials.approaches[0].input.mean == (0.5, 0.5, 0.5)
    assert any("saw at most" in note and "resample-2" in note for note in materials.notes)
    seen = json.loads((tmp_path / "study" / "study.json").read_text())["pretraining"]
    assert [(one["split"], one["basis"]) for one in seen] == [("resample-1", "archive"), ("resample-2", "archive")]
    assert all(one["test_seen"] == one["test_images"] > 0 for one in seen)


def _without_pre_training(name):
    return load_profile(name).model_copy(update={"stand_in_steps": 0})


COMMAND = [sys.executable, "-m", "cxrbench", "run", "--approach", "1channel-meta", "--profile", "small"]
OPTIONS = ["--resamples", "1", "--epochs", "4", "--workers", "1"]


def start(films, out):
    command = [*COMMAND, *OPTIONS, "--data", str(films), "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)


def is_there(pattern, folder):
    with suppress(FileNotFoundError):  # a folder was renamed while it was looked into
        return bool(list(folder.glob(pattern)))
    return False


def kill_at(moment, films, out):
    """Kill a study as soon as a file of the pattern is there; where that went by unseen, its runs are made again."""
    for _ in range(20):
        process = start(films, out)
        while process.poll() is None and not is_there(moment, out):
            time.sleep(0.002)
        is_seen = process.poll() is None
        if is_seen:
            os.killpg(process.pid, signal.SIGKILL)
        said = process.communicate()[0].decode()
        if is_seen and not (out / "report").exists():
            return
        assert is_seen or process.returncode == 0, said
        for made in ("runs", "results", "results.new", "report"):
            shutil.rmtree(out / made, ignore_errors=True)
    pytest.fail(f"{moment} was never seen")


@pytest.mark.slow
def test_a_killed_study_goes_on_to_the_same_predictions(films, tmp_path):
    run = "runs/*/*/*.partial/attempt-*"
    # While films are decoded, while it trains, while it predicts, and while results are written.
    moments_of_death = ["store*", f"{run}/state.pt", f"{run}/predictions-*", "results.new*"]
    for out, moments in ((tmp_path / "calm", []), (tmp_path / "killed", moments_of_death)):
        for moment in moments:
            kill_at(moment, films, out)
        process = start(films, out)
        said = process.communicate()[0].decode()
        assert process.returncode == 0, said
    name = finished_runs(tmp_path / "calm")
    assert name == finished_runs(tmp_path / "killed") == [RunName("1channel-meta", "resample-1", 0)]
    files = [{path.name for path in name[0].folder(tmp_path / which).iterdir()} for which in ("calm", "killed")]
    assert files[0] == files[1]
    for part in ("val", "test"):
        calm, killed = (
            pl.read_parquet(name[0].folder(tmp_path / which) / predictions_file(part)) for which in ("calm", "killed")
        )
        assert calm.equals(killed)
    assert Path(tmp_path / "killed/report/index.html").exists()


def test_two_approaches_of_one_name_are_refused(films, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("extends: 1channel\nrecipe: {epochs: 2}\n")  # keeps the base's name
    with pytest.raises(ConfigError, match=r"approaches 1channel and .*own\.yaml are both named '1channel'; rename one"):
        prepare_study(settings(films, tmp_path / "study", approaches=("1channel", str(own))))
    assert not (tmp_path / "study").exists()
