"""A package outside this one adds a backbone by an entry point, and everything works with it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).parents[1]

PACKAGE = '''
from pydantic import Field

from cxrbench.config import Entry, Settings


class TwoLayers(Settings):
    """Two convolutions."""

    width: int = Field(8, ge=1)


ENTRY = Entry("two-layers", TwoLayers, "two_layers.network:build", "two convolutions", main="width")
'''

NETWORK = """
from torch import nn


def build(settings, *, channels, image_size):
    sizes = (channels, settings.width, settings.width)
    layers = [(nn.Conv2d(a, b, 5, stride=4, padding=2), nn.ReLU()) for a, b in zip(sizes, sizes[1:])]
    return nn.Sequential(*(module for pair in layers for module in pair))
"""

APPROACH = """
name: two-layers
summary: a network of another package
network: {backbone: {two-layers: 4}, weights: none, features: [age, sex, view]}
input: {image_size: 64, store_size: 72, channels: 1, mean: [0.5], std: [0.25]}
recipe: {learning_rate: 0.01, batch_size: 16, epochs: 1}
"""


@pytest.fixture
def outside(tmp_path):
    """Write the package with the metadata that an installation leaves, and return how to run with it or without."""
    site = tmp_path / "site"
    (site / "two_layers").mkdir(parents=True)
    (site / "two_layers" / "__init__.py").write_text(PACKAGE)
    (site / "two_layers" / "network.py").write_text(NETWORK)
    about = site / "two_layers-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: two-layers\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text("[cxrbench.backbones]\ntwo-layers = two_layers:ENTRY\n")

    def run(*arguments, is_installed=True):
        path = os.pathsep.join(filter(None, [str(site) if is_installed else "", os.environ.get("PYTHONPATH", "")]))
        command = [sys.executable, "-m", "cxrbench", *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)

    return run


def test_a_study_a_bundle_and_predictions_with_another_packages_network(outside, make_archive, tmp_path):
    films, approach = make_archive(tmp_path / "films"), tmp_path / "two-layers.yaml"
    approach.write_text(APPROACH)
    study = ["run", "--data", films, "--out", tmp_path / "study", "--approach", approach, "--resamples", 1]
    for command in (
        study,
        ["bundle", tmp_path / "study", "--out", tmp_path / "bundle"],
        ["check", tmp_path / "bundle"],
        ["predict", tmp_path / "bundle", films / "images", "--out", tmp_path / "answers.csv"],
    ):
        done = outside(*command)
        assert done.returncode == 0, f"{command[0]}: {done.stdout}\n{done.stderr}"
    assert pl.read_csv(tmp_path / "answers.csv").height >= 90
    shutil.rmtree(tmp_path / "bundle" / "exports", ignore_errors=True)  # they would run without the package
    lost = outside("predict", tmp_path / "bundle", films / "images", "--out", tmp_path / "b.csv", is_installed=False)
    assert lost.returncode == 2
    [line] = [line for line in lost.stderr.splitlines() if line.startswith("error: ")]
    assert "two-layers" in line
    assert "Traceback" not in lost.stderr
