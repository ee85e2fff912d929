"""Bad networks, weights and findings through the real command: one line that holds the value and the remedy."""

import json
import re
import sys
from contextlib import nullcontext

import pytest
import torch

from cxrbench.progress import silent
from cxrbench.runs import RunName, seal_run
from pretrained import VIT, state_of, timm_state

APPROACH = """
name: own
summary: a network of a test
network: {{backbone: {backbone}, weights: {weights}}}
input: {{image_size: 64, store_size: 64, channels: 3, {film}}}
recipe: {{batch_size: 16, {recipe}}}
"""
SIMPLE = "learning_rate: 0.001, epochs: 1"
RANGE = "mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2]"

MODULES = """
import torch
from torch import nn


def a_number(*, channels, image_size):
    return 7


def a_vector(*, channels, image_size):
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * image_size**2, 4))


def broken(*, channels, image_size):
    raise RuntimeError("out of ideas")
"""
BROKEN = {
    "wrong_syntax": "def build(:\n",
    "wrong_name": "depth = undefined_depth\n",
    "wrong_attribute": "import torch\n\ntorch.nothing_like_it\n",
    "wrong_value": "raise ValueError('two\\nlines')\n",
}
"""Modules that fail when they are imported."""


@pytest.fixture
def films(make_archive, tmp_path):
    return make_archive(tmp_path / "films", patients=12)


@pytest.fixture(autouse=True)
def _without_progress(monkeypatch):
    """Bars go to stderr, too; what is left there is what the command says."""
    monkeypatch.setattr("cxrbench.terminal.shown_progress", lambda: nullcontext(silent))


@pytest.fixture
def run(cxrbench, films, tmp_path, monkeypatch):
    """Run a study with an approach of one's own, in a folder of its own; gives the line that refuses it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name, source in {"bad_modules": MODULES, **BROKEN}.items():
        (tmp_path / f"{name}.py").write_text(source)

    def call(backbone="resnet", weights="none", *, film=RANGE, recipe=SIMPLE, command="run", said_by=only_line):
        own = APPROACH.format(backbone=backbone, weights=weights, film=film, recipe=recipe)
        (tmp_path / "own.yaml").write_text(own)
        study = f"data: {films}\nout: study\napproaches: [own.yaml]\nsplits: {{resamples: 1}}\n"
        (tmp_path / "study.yaml").write_text(study)
        arguments = ["run", "study.yaml"] if command == "run" else ["plan", "study.yaml", "--prepare"]
        return said_by(cxrbench(*arguments))

    yield call
    sys.modules.pop("bad_modules", None)


def only_line(result):
    """The one line on stderr that refuses; nothing was trained before it."""
    code, _, err = result
    assert code == 2, err
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    return line


def failed_run(result):
    """The line that names the run that failed."""
    code, _, err = result
    assert code == 1, err
    assert "Traceback" not in err
    return next(line for line in err.splitlines() if line.startswith("failed: "))


def resnet(*blocks):
    return {"resnet": {"depth": 50, "blocks": list(blocks), "width": 4}}


def spelt(backbone):
    """A backbone as YAML; JSON is some."""
    return json.dumps(backbone)


FILES = {
    "ResNet-101 for ResNet-50": (
        resnet(3, 4, 6, 3),
        lambda: state_of(resnet(3, 4, 23, 3)),
        ("w.pth", "'layer3.6.conv1.weight' (and", "seems to be for ResNet-101", "give weights of this network"),
    ),
    "ResNet-50 for depth 38": (
        resnet(3, 4, 2, 3),
        lambda: state_of(resnet(3, 4, 6, 3)),
        ("w.pth", "'layer3.2.conv1.weight' (and", "seems to be for ResNet-50", "give weights of this network"),
    ),
    "ResNet-38 for ResNet-50": (
        resnet(3, 4, 6, 3),
        lambda: state_of(resnet(3, 4, 2, 3)),
        ("w.pth", "'layer3.2.conv1.weight' is absent", "seems to be for ResNet-38", "give weights of this network"),
    ),
    "surplus tensors": (
        resnet(1, 1, 1, 1),
        lambda: state_of(resnet(1, 1, 1, 1)) | {"scorer.weight": torch.ones(2)},
        ("w.pth", "'scorer.weight' is not in the network", "name their beginning under ignore in network.weights"),
    ),
    "an input that cannot be resampled": (
        VIT,
        lambda: (
            timm_state("vit_tiny_patch16_224", **VIT["timm"]["options"], img_size=64)
            | {"pos_embed": torch.ones(1, 12, 24)}
        ),
        ("w.pth", "cannot be adapted to the network", "choose the input.image_size they were made for"),
    ),
    "another network altogether": (
        VIT,
        lambda: state_of(resnet(1, 1, 1, 1)),
        ("w.pth", "is absent", "give weights of this network"),
    ),
}


@pytest.mark.parametrize("case", FILES)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_weights_that_do_not_fit(run, tmp_path, case, command):
    backbone, state, parts = FILES[case]
    torch.save(state(), tmp_path / "w.pth")
    line = run(spelt(backbone), "{file: w.pth}", command=command)
    assert "approach own: weights from " in line
    for part in parts:
        assert part in line


@pytest.mark.parametrize(
    ("stated", "film", "parts"),
    [
        (
            "mean: [0.1, 0.1, 0.1], std: [0.2, 0.2, 0.2]",
            RANGE,
            ("input.mean 0.5, 0.5, 0.5", "learnt with mean 0.1, 0.1, 0.1", "leave input.mean and input.std out"),
        ),
        (
            "input_range: [-1024, 1024]",
            RANGE,
            ("std 0.2, 0.2, 0.2", "std 0.0004883", "leave input.mean and input.std out"),
        ),
        ("dataset: films", "evaluation_crop: 1.0", ("weights w.pth", "write input.mean and input.std")),
        ("input_range: [1, 0]", RANGE, ("input_range goes from low to high; got (1.0, 0.0)",)),
    ],
    ids=["another mean", "another range", "none stated", "a range upside down"],
)
def test_weights_of_another_range(run, tmp_path, stated, film, parts):
    torch.save(state_of(resnet(1, 1, 1, 1)), tmp_path / "w.pth")
    line = run(spelt(resnet(1, 1, 1, 1)), f"{{file: {{path: w.pth, {stated}}}}}", film=film)
    for part in parts:
        assert part in line


@pytest.mark.parametrize(
    ("backbone", "parts"),
    [
        ("{timm: resnte18}", ("unknown timm network 'resnte18'", "did you mean resnet18")),
        ("{timm: resnet18.nobody}", ("network 'resnet18' has no weights 'nobody'", "it has a1_in1k")),
        ("{timm: test_vit_9}", ("unknown timm network 'test_vit_9'", "did you mean test_vit")),
        ("resnte", ("unknown backbone 'resnte'", "did you mean resnet")),
        ("{module: 'nowhere_at_all:build'}", ("nowhere_at_all cannot be imported", "is its package installed?")),
        ("{module: 'bad_modules:brokn'}", ("bad_modules has no 'brokn'", "did you mean broken?")),
        ("{module: 'bad_modules:missing'}", ("bad_modules has no 'missing'", "name a function of it")),
        (
            "{module: 'bad_modules:a_number'}",
            ("bad_modules:a_number", "returned a int, expected a torch module that maps films to feature maps"),
        ),
        (
            "{module: 'bad_modules:a_vector'}",
            ("bad_modules:a_vector", "gives shape (1, 4)", "return the maps before they are pooled"),
        ),
        (
            "{module: 'bad_modules:broken'}",
            ("bad_modules:broken", "failed (RuntimeError: out of ideas)", "correct the function"),
        ),
        ("{module: bad_modules}", ("got 'bad_modules'", "name a function as package.module:function")),
    ],
)
def test_networks_that_cannot_be_built(run, backbone, parts):
    line = run(backbone)
    assert "own" in line
    for part in parts:
        assert part in line


FAILS = {
    "wrong_syntax": "SyntaxError: ",
    "wrong_name": "NameError: name 'undefined_depth' is not defined",
    "wrong_attribute": "AttributeError: module 'torch' has no attribute 'nothing_like_it'",
    "wrong_value": "ValueError: two lines",
}


@pytest.mark.parametrize("module", FAILS)
def test_a_module_whose_own_code_fails(run, module):
    line = run(f"{{module: '{module}:build'}}")
    assert f"{module} cannot be imported ({FAILS[module]}" in line
    assert line.endswith("; correct its code")


PARTS = {
    "loss": SIMPLE + ", loss: {module: 'wrong_attribute:build'}",
    "optimiser": "phases: [{epochs: 1, optimiser: {module: {function: 'wrong_attribute:build', rate: 0.1}}}]",
    "schedule": "phases: [{epochs: 1, optimiser: {sgd: 0.1}, schedule: {module: 'wrong_attribute:build'}}]",
}


@pytest.mark.parametrize("part", PARTS)
def test_a_module_of_a_recipe_whose_own_code_fails(run, part):
    line = run(spelt(resnet(1, 1, 1, 1)), recipe=PARTS[part], said_by=failed_run)
    assert f"{part} module" in line
    assert f"wrong_attribute cannot be imported ({FAILS['wrong_attribute']}" in line


def test_findings_with_one_class(cxrbench, films, tmp_path):
    labels = films / "Data_Entry_2017_v2020.csv"
    labels.write_text(re.sub(r"\b(Effusion\|Mass|Effusion|Mass)\b", "No Finding", labels.read_text()))
    line = only_line(run_packaged(cxrbench, films, tmp_path))
    assert "Effusion (resample-1: 0 positive patients), Infiltration" in line
    assert "and 10 more; are the labels read as they are meant" in line


def test_a_finding_with_one_class_is_left_out_and_named(cxrbench, films, tmp_path):
    code, out, err = run_packaged(cxrbench, films, tmp_path, "--dry-run")
    assert (code, err) == (0, "")
    (line,) = [line for line in out.splitlines() if "no network answers" in line]
    assert "Hernia (resample-1: 0 positive patients)" in line


def run_packaged(cxrbench, films, tmp_path, *more):
    study = ["run", "--data", films, "--out", tmp_path / "study", "--approach", "1channel", "--profile", "small"]
    return cxrbench(*study, "--resamples", 1, *more)


@pytest.mark.parametrize("command", ["run", "plan", "report"])
def test_a_study_of_a_later_schema(cxrbench, films, tmp_path, command):
    assert run_packaged(cxrbench, films, tmp_path, "--dry-run")[0] == 0
    study = tmp_path / "study"
    record = json.loads((study / "study.json").read_text())
    (study / "study.json").write_text(json.dumps(record | {"schema": 3}))
    line = only_line(
        run_packaged(cxrbench, films, tmp_path) if command == "run" else cxrbench(command, study)
    )  # fmt: skip
    assert (
        "study.json has schema 3, of a later version of cxrbench than this, which reads up to 2; use that version"
        in line
    )


def test_a_run_of_a_later_schema(cxrbench, films, tmp_path):
    folder = tmp_path / "study/runs/1channel/resample-1/seed-0"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"schema": 3}))
    seal_run(folder, RunName("1channel", "resample-1", 0), made_from={})
    line = only_line(run_packaged(cxrbench, films, tmp_path))
    assert (
        f"{folder}/config.json: schema 3 is of a later version of cxrbench; this one reads up to 2; use that version"
        in line
    )
