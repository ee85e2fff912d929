"""What the report shows of localisation and of age, sex and view: when it was asked, and of these runs only."""

import json
import re
import shutil

import numpy as np
import polars as pl
import pytest
from PIL import Image

from cxrbench import files
from cxrbench.evaluate import evaluate_study
from cxrbench.evaluate.explanations import sheet_file, write_origin
from cxrbench.explain.localisations import localisation_table
from cxrbench.explain.localising import SCORES_SCHEMA
from cxrbench.explain.nonimage import Asking, nonimage_study
from cxrbench.explain.sanity import SANITY_SCHEMA
from cxrbench.report import write_report
from cxrbench.report.estimates import Estimate, estimate_of
from cxrbench.runs import finished_runs
from fake_study import write_fake_study

STEPS = ("head", *(f"backbone.layer{stage}" for stage in (4, 3, 2, 1)), "backbone.bn1", "backbone.conv1")
FEW = ("Effusion", "Infiltration", "Mass", "No Finding")
LOOK, WORTH = "What the networks look at", "What age, sex and view contribute"


def write_localisation(study, names):
    """Eight films of each finding, on half of which both maps hit; the centre never does."""
    rng = np.random.default_rng(0)
    runs = [{"approach": run.approach, "split": run.split, "seed": run.seed} for run in names]
    rows = [
        {**run, "image_id": f"{finding}{film}", "patient_id": str(film), "finding": finding, "boxes": 1, "logit": 0.0,
         "method": method, "is_hit": method in {"cam", "layer-cam"} and film % 2 == 0, "iou_at_0.25": 0.15,
         "iou_at_0.5": 0.35, "iou_at_0.75": 0.05, "energy": float(rng.random())}
        for run in runs for finding in ("Mass", "Effusion") for film in range(8)
        for method in ("cam", "layer-cam", "centre", "random")
    ]  # fmt: skip
    alike = [
        {**run, "method": "cam", "randomised": step, "cells": 4, "correlation": 0.25, "images": 8, "patients": 8,
         "std_error": 0.1, "lower": 0.05, "upper": 0.45}
        for run in runs for step in STEPS
    ]  # fmt: skip
    folder = study / "localisation"
    (folder / "figures").mkdir(parents=True)
    localisation_table(pl.DataFrame(rows, schema=SCORES_SCHEMA)).write_csv(folder / "localisation.csv")
    pl.DataFrame(alike, schema=SANITY_SCHEMA).write_csv(folder / "sanity.csv")
    for run in names:
        for method in ("cam", "layer-cam"):
            noise = rng.integers(0, 255, (900, 1500, 3), np.uint8)
            Image.fromarray(noise).save(folder / "figures" / sheet_file(run, method))
    write_origin(folder, study, names, {"methods": ["cam", "layer-cam"]})


def body(study) -> str:
    return write_report(study).read_text(encoding="utf-8")


def part(page: str, name: str) -> str:
    return page[page.index(f'<section id="{name}"') :].partition("</section>")[0]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A study on one split whose runs were asked everything."""
    folder = tmp_path_factory.mktemp("asked") / "study"
    write_fake_study(folder, patients=150, approaches=["ft", "ft-meta"], resamples=1, findings=FEW)
    evaluate_study(folder, replicates=0)
    names = finished_runs(folder)
    nonimage_study(folder, folder / "nonimage", names=names, asking=Asking(probe_films=0))
    write_localisation(folder, [name for name in names if name.approach == "ft-meta"])
    return folder


@pytest.fixture
def study(finished, tmp_path):
    """A copy that may be spoiled."""
    return shutil.copytree(finished, tmp_path / "study")


@pytest.fixture(scope="module")
def page(finished):
    return body(finished)


def test_what_was_not_asked_is_said_with_its_command(study):
    shutil.rmtree(study / "localisation")
    shutil.rmtree(study / "nonimage")
    text = body(study)
    assert "<code>cxrbench localise study/ --boxes BOXES</code>" in part(text, "localisation")
    assert "<code>cxrbench nonimage study/</code>" in part(text, "nonimage")
    assert "<figure" not in part(text, "localisation") + part(text, "nonimage")


def test_maps_are_shown_with_their_intervals_beside_those_that_know_nothing(finished, page):
    shown = part(page, "localisation")
    assert LOOK in shown
    assert "Nobody has asked" not in shown
    table = pl.read_csv(finished / "localisation" / "localisation.csv", infer_schema_length=None)
    row = table.filter(finding="Mass", method="cam", measure="pointing").row(0, named=True)
    assert f"<title>Mass, cam: 0.50 ({row['lower']:.2f} to {row['upper']:.2f})</title>" in shown
    assert "<title>All findings, centre: 0.00" in shown
    printed = (finished / "report" / "tables" / "pointing-resample-ft-meta.csv").read_text()
    assert (
        printed.splitlines()[0] == "Finding,Films,Patients,cam,layer-cam,centre,random,cam − centre,layer-cam − centre"
    )
    assert len(printed.splitlines()) == 4


def test_overlap_is_shown_at_each_level(finished, page):
    assert page
    lines = (finished / "report" / "tables" / "overlap-resample-ft-meta.csv").read_text().splitlines()
    assert len(lines) == 1 + 4 * 3
    at_half = next(line for line in lines if "cam, 50" in line)
    assert re.findall(r",(\d\.\d\d)", at_half)[:5] == ["0.35", "1.00", "1.00", "1.00", "0.00"]


def test_the_sanity_check_is_shown(page):
    shown = part(page, "localisation")
    assert "Sanity check: rank correlation of the maps of 8 boxed findings" in shown
    assert "+ layer4" in shown
    assert "0.05 to 0.45" in shown


def test_one_contact_sheet_lies_in_the_page(page):
    images = re.findall(r'<img src="([^"]{0,40})', page)
    assert images == ["data:image/jpeg;base64,/9j/4AAQSkZJRgABA"]
    assert "who gets this page gets them" in page
    assert len(page) < 3e6


def test_age_sex_and_view_are_shown_alone_beside_the_film_and_with_it(finished, page):
    shown = part(page, "nonimage")
    assert WORTH in shown
    table = pl.read_csv(finished / "nonimage" / "nonimage.csv", infer_schema_length=None)
    for given, model, called in (("image", "ft", "film: ft"), ("both", "ft-meta", "both: ft-meta")):
        row = table.filter(given=given, model=model, finding="Effusion").row(0, named=True)
        assert f"Effusion, {called}: {row['auc']:.3f} ({row['lower']:.3f} to {row['upper']:.3f})" in shown
    comparison = pl.read_csv(finished / "results" / "comparison.csv", infer_schema_length=None)
    gain = comparison.filter(finding="Effusion").row(0, named=True)
    value = gain["difference"] if gain["approach_a"] == "ft-meta" else -gain["difference"]
    assert f"{value:+.3f}".replace("-", "−") in shown


def test_several_runs_have_dots_and_no_interval(tmp_path):
    folder = write_fake_study(tmp_path / "study", patients=80, approaches=["ft"], resamples=2, findings=FEW)
    evaluate_study(folder, replicates=0)
    write_localisation(folder, finished_runs(folder))
    shown = part(body(folder), "localisation")
    assert "A dot per run, a bar at their mean" in shown
    assert "mean ± SD over 2 runs" in shown
    assert "<title>Mass, cam: 0.50 (± 0.00)</title>" in shown


def remove(run):
    """Delete a run, and evaluate the others again."""
    shutil.rmtree(run)
    evaluate_study(run.parents[3], replicates=0)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (remove, "it tells of ft-meta / resample-1 / seed 0, which the study does not have"),
        (
            lambda run: files.write_json(
                run / "config.json", {**json.loads((run / "config.json").read_text()), "hash": "another"}
            ),
            "ft-meta / resample-1 / seed 0 was made anew with other settings since",
        ),
        (
            lambda run: (run.parents[3] / "localisation" / "origin.json").unlink(),
            "localisation has no readable record of the runs that it was made from",
        ),
        (
            lambda run: (run.parents[3] / "localisation" / "sanity.csv").unlink(),
            "sanity.csv cannot be read",
        ),
    ],
    ids=["run gone", "run made anew", "no record", "table gone"],
)  # fmt: skip
def test_what_tells_of_other_runs_is_left_out(study, spoil, reason):
    spoil(study / "runs" / "ft-meta" / "resample-1" / "seed-0")
    page = body(study)
    shown = part(page, "localisation")
    assert str(study) not in page
    assert reason in shown
    assert "cxrbench localise" in shown
    assert "<figure" not in shown


def test_an_estimate_of_one_run_has_its_interval_and_of_several_none():
    rows = pl.DataFrame({"estimate": [0.5, 0.7], "lower": [0.4, 0.6], "upper": [0.6, 0.8], "reason": [None, None]})
    one, two = estimate_of(rows[:1]), estimate_of(rows)
    assert (one.said(2), two.said(2)) == ("0.50 (0.40 to 0.60)", "0.60 (± 0.14)")
    assert estimate_of(rows.with_columns(estimate=None)) is None
    assert Estimate((0.5,), reason="few").said(2) == "0.50"
