"""A study of version 0.1 goes on: its runs are taken as finished, nothing is trained again, and it has a report."""

import shutil
from pathlib import Path

import pytest

from cxrbench.config import load_study
from cxrbench.data.phantom import PhantomSettings, generate_release
from cxrbench.evaluate import evaluate_study
from cxrbench.report import write_report
from cxrbench.study import make_plan, prepare_study

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
    assert any("version 0.1" in note for note in materials.notes)


def test_it_has_a_report(study):
    evaluate_study(study / "study")
    page = write_report(study / "study").read_text(encoding="utf-8")
    assert "tiny-ots" in page
