"""A study of version 0.1 goes on: its runs are taken as finished, nothing is trained again, and it has a report."""

import json
import shutil
import sys
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest
import torch

from cxrbench import __version__, cli
from cxrbench.config import load_study
from cxrbench.data.phantom import PhantomSettings, generate_release
from cxrbench.environment import describe_environment
from cxrbench.evaluate import evaluate_study
from cxrbench.files import partial_of
from cxrbench.report import write_report
from cxrbench.runs import RunName, predictions_file, read_study_record
from cxrbench.study import carry_out, describe_plan, make_plan, prepare_study
from cxrbench.study.plan import anew_notes

FIXTURE = Path(__file__).parents[1] / "fixtures" / "study-0.1"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The fixture with its films, generated again, where its settings say that they are."""
    folder = tmp_path_factory.mktemp("of-0-1")
    for name in ("study.yaml", "tiny.yaml", "tiny-ots.yaml"):
        shutil.copy(FIXTURE / name, folder / name)
    shutil.copytree(FIXTURE / "study", folder / "study")
    films = PhantomSettings(patients=60, seed=3, size_px=96, detail_px=64, prevalence_scale=3)
    generate_release(folder / "films", films, workers=1)
    # Version 0.1 kept them here; on another processor they would be trained to other numbers.
    shutil.copytree(FIXTURE / "weights", folder / "study" / "weights")
    return folder


def test_its_runs_are_finished(study):
    materials = prepare_study(load_study(study / "study.yaml", {}))
    plan = make_plan(materials)
    assert (len(plan.done), plan.to_do) == (4, ())
    assert len(materials.findings) == 15
    assert any("was begun by version 0.1" in note for note in materials.notes)


def test_every_call_says_that_it_is_of_version_0_1(study):
    """Not the first alone, which writes the record anew."""
    settings = load_study(study / "study.yaml", {})
    for _ in range(2):
        assert sum("was begun by version 0.1" in note for note in prepare_study(settings).notes) == 1
    record = read_study_record(study / "study")
    assert (record["version"], record["began_with"]) == (__version__, "0.1.0")


@pytest.mark.parametrize("command", ["report", "plan"])
def test_commands_that_use_it_say_so_in_one_line(study, monkeypatch, capsys, command):
    prepare_study(load_study(study / "study.yaml", {}))  # its record holds relative paths until it goes on
    monkeypatch.setattr("cxrbench.cli.studies._write_report", lambda study: None)
    monkeypatch.setattr(sys, "argv", ["cxrbench", command, str(study / "study")])
    with suppress(SystemExit):
        cli.main()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("note: the study was begun by version 0.1: its finished runs stay as they are")


def test_an_unfinished_run_of_it_begins_anew_and_the_plan_says_so(study):
    materials = prepare_study(load_study(study / "study.yaml", {}))
    name = make_plan(materials).done[0]
    finished = name.folder(study / "study")
    finished.rename(aside := study / "aside")
    attempt = partial_of(finished) / "attempt-0"
    attempt.mkdir(parents=True)
    recorded = json.loads((aside / "config.json").read_text())
    torch.save({"hash": recorded["hash"], "fit": {"epochs_done": 1}}, attempt / "state.pt")
    try:
        plan = make_plan(materials)
        (note,) = anew_notes(plan.to_do)
        assert note == (
            f"these unfinished runs start over, because version 0.1, other settings or other code left them: {name}"
        )
        assert note in describe_plan(plan, study / "study")
    finally:
        shutil.rmtree(partial_of(finished))
        aside.rename(finished)


def test_it_has_a_report(study):
    evaluate_study(study / "study")
    page = write_report(study / "study").read_text(encoding="utf-8")
    assert "tiny-ots" in page


def test_a_run_that_is_trained_again_gives_the_same_predictions_bit_for_bit(study, tmp_path):
    """By the processor and the PyTorch that version 0.1 trained it with; others round otherwise."""
    name = RunName("tiny-meta", "resample-1", 0)
    finished, aside = name.folder(study / "study"), tmp_path / "aside"
    made_by = json.loads((finished / "environment.json").read_text())
    here = describe_environment(device="cpu", threads=torch.get_num_threads())
    if (made_by["processor"], made_by["versions"]["torch"]) != (here["processor"], here["versions"]["torch"]):
        pytest.skip(f"needs the processor {made_by['processor']} and PyTorch {made_by['versions']['torch']}")
    shutil.move(finished, aside)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(made_by["threads"])
        (outcome,) = carry_out(make_plan(prepare_study(load_study(study / "study.yaml", {}))))
        assert outcome.failure is None
        for part in ("val", "test"):
            anew, before = (pl.read_parquet(folder / predictions_file(part)) for folder in (finished, aside))
            assert anew.equals(before)
    finally:
        torch.set_num_threads(threads)
        shutil.rmtree(finished, ignore_errors=True)
        shutil.move(aside, finished)
