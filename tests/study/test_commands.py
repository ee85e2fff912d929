"""The plan as plain commands: each makes its run, and all of them make the study."""

import json
import shlex
import shutil
import sys

import pytest

from cxrbench import cli
from cxrbench.config import SplitPlan, StudySettings, load_profile
from cxrbench.errors import StudyError
from cxrbench.files import partial_of
from cxrbench.runs import FAILURE_FILE, RunName, finished_runs
from cxrbench.study import make_plan, prepare_study
from cxrbench.study import performing as performing_module
from cxrbench.study.commands import read_task, run_states, study_settings, write_plan

STUDY = """
data: films
out: study
approaches: [1channel, 1channel-meta]
profile: small
splits: {resamples: 2}
recipe: {epochs: 1}
"""


@pytest.fixture
def study_file(make_archive, tmp_path):
    make_archive(tmp_path / "films", patients=12)
    (tmp_path / "study.yaml").write_text(STUDY)
    return tmp_path / "study.yaml"


@pytest.fixture
def cxrbench(monkeypatch, capsys):
    """Call the command in this process; gives its exit code and what it printed."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["cxrbench", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code or 0
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


@pytest.fixture
def quick_fit(monkeypatch):
    """Stand in for training."""

    def fit(config, folder, **materials):
        assert materials["table"].height == 36
        (folder / "config.json").write_text(json.dumps(config.record()))

    monkeypatch.setattr(performing_module, "fit_run", fit)


def test_the_commands_make_the_study(cxrbench, study_file, quick_fit):
    code, out, _ = cxrbench("plan", study_file, "--commands", "--prepare")
    assert code == 0
    lines = [shlex.split(line) for line in out.splitlines()]
    assert [line[:2] for line in lines] == [["cxrbench", "perform"]] * 4
    study = study_file.parent / "study"
    for line in lines:
        assert cxrbench(*line[1:])[0] == 0
    assert len(finished_runs(study)) == 4
    assert make_plan(prepare_study(study_settings(study))).to_do == ()
    assert cxrbench("plan", study, "--commands")[1] == ""
    assert "done already" in cxrbench(*lines[0][1:])[1]


def test_a_study_that_is_not_prepared_says_how(cxrbench, study_file):
    code, out, _ = cxrbench("plan", study_file)
    assert code == 0
    assert "runs: 0 done, 4 to do" in out
    assert not (study_file.parent / "study").exists()
    code, out, err = cxrbench("plan", study_file, "--commands")
    assert (code, out) == (2, "")
    assert "study: not prepared for single runs; add --prepare" in err
    code, _, err = cxrbench("plan", study_file, "--split", "resample-1", "--split", "resample-9")
    assert (code, "unknown split 'resample-9'; this study has: resample-1, resample-2" in err) == (2, True)
    code, _, err = cxrbench("plan", study_file, "--approach", "large")
    assert (code, "unknown approach 'large'; this study has: 1channel, 1channel-meta" in err) == (2, True)
    cxrbench("plan", study_file, "--prepare", "--approach", "1channel")
    study_file.write_text(STUDY.replace("resamples: 2", "resamples: 3"))
    code, out, err = cxrbench("plan", study_file, "--commands")
    assert (code, out) == (2, "")
    assert "1channel / resample-3 / seed 0 is not prepared; add --prepare" in err


def test_a_run_that_fails_is_shown_and_told(cxrbench, study_file, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(performing_module, "fit_run", fail)
    study = study_file.parent / "study"
    cxrbench("plan", study_file, "--prepare")
    code, _, err = cxrbench("perform", study, "1channel", "resample-1")
    assert code == 1
    assert "failed: 1channel / resample-1 / seed 0: RuntimeError: out of memory" in err
    failed = [state for state in run_states(study_settings(study)) if state.state == "failed"]
    assert [(state.name, state.reason) for state in failed] == [
        (RunName("1channel", "resample-1", 0), "RuntimeError: out of memory")
    ]


def test_a_run_that_is_not_planned_lists_those_that_are(cxrbench, study_file):
    cxrbench("plan", study_file, "--prepare")
    code, _, err = cxrbench("perform", study_file.parent / "study", "large", "resample-1")
    assert code == 2
    assert "no run large / resample-1 / seed 0; it has: 1channel / resample-1 / seed 0, " in err


def test_a_written_plan_gives_the_same_tasks_wherever_the_study_lies(study_file, monkeypatch):
    untrained = load_profile("small").model_copy(update={"stand_in_steps": 0})
    monkeypatch.setattr("cxrbench.study.preparation.load_profile", lambda name: untrained)
    settings = study_settings(study_file).model_copy(update={"approaches": ("ots",), "weights": "stand-in"})
    study = settings.out
    tasks = make_plan(prepare_study(settings)).to_do
    write_plan(tasks, study)
    assert [read_task(study, task.name) for task in tasks] == list(tasks)
    moved = study.with_name("moved")
    shutil.move(study, moved)
    task = read_task(moved, tasks[0].name)
    assert task.weights.is_relative_to(moved)
    assert task.weights.exists()
    assert task.store == moved / "store"
    assert task.config == tasks[0].config


def test_a_damaged_plan_is_named(study_file):
    study = study_file.parent / "study"
    study.mkdir()
    (study / "plan.json").write_text("{")
    with pytest.raises(StudyError, match=r"plan\.json: damaged, or of another version"):
        read_task(study, RunName("1channel", "resample-1", 0))
    with pytest.raises(StudyError, match=r"study\.json does not exist; is .*study the folder that"):
        study_settings(study)


def test_begun_runs_are_shown(tmp_path):
    settings = StudySettings(data=tmp_path, out=tmp_path, approaches=("1channel",), splits=SplitPlan(resamples=1))
    folder = partial_of(RunName("1channel", "resample-1", 0).folder(tmp_path))
    (folder / "attempt-1").mkdir(parents=True)
    assert [state.state for state in run_states(settings)] == ["to do"]
    (folder / "attempt-1" / "state.pt").touch()
    assert [state.state for state in run_states(settings)] == ["begun"]
    (folder / FAILURE_FILE).write_text('{"reason": "loss is nan"}')
    assert [state.reason for state in run_states(settings)] == ["loss is nan"]
