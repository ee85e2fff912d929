"""A package outside this repository adds a backbone: its wheel in a fresh environment, then a study, a bundle, answers.

    uv run python benchmarks/outside_package.py [--keep FOLDER]

Writes the package (20 lines and its metadata), builds its wheel and this repository's, installs both into a new virtual
environment, runs `cxrbench run`, `bundle`, `check` and `predict` there on generated films, and writes what was seen to
benchmarks/results/outside-package.md.
"""

import argparse
import subprocess
import tempfile
import time
from importlib import metadata
from pathlib import Path

import polars as pl

ROOT = Path(__file__).parents[1]
RESULT = Path(__file__).parent / "results" / "outside-package.md"

PROJECT = """[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "two-layers"
version = "1.0"
dependencies = ["cxrbench"]

[project.entry-points."cxrbench.backbones"]
two-layers = "two_layers:ENTRY"
"""

PACKAGE = '''"""A backbone of two convolutions, for cxrbench."""

from cxrbench.config import Entry, Settings


class TwoLayers(Settings):
    """Two convolutions, each with a quarter of the resolution."""

    width: int = 16


def build(settings, *, channels, image_size):
    from torch import nn

    sizes = (channels, settings.width, settings.width)
    layers = [(nn.Conv2d(a, b, 5, stride=4, padding=2), nn.ReLU()) for a, b in zip(sizes, sizes[1:])]
    return nn.Sequential(*(module for pair in layers for module in pair))


ENTRY = Entry("two-layers", TwoLayers, "two_layers:build", "two convolutions", main="width")
'''

APPROACH = """name: two-layers
summary: two convolutions of another package
network: {backbone: {two-layers: 8}, weights: none, features: [age, sex, view]}
input: {image_size: 64, store_size: 72, channels: 1, mean: [0.5], std: [0.25]}
recipe: {learning_rate: 0.01, batch_size: 16, epochs: 2}
"""


def main() -> None:
    """Build, install, run, and write what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="folder to work in, kept (default: a temporary one)")
    keep = parser.parse_args().keep
    with tempfile.TemporaryDirectory() as scratch:
        folder = keep or Path(scratch)
        write_package(folder / "package")
        program = install(folder)
        seconds = {name: run(program, folder, arguments) for name, arguments in commands(folder).items()}
        answers = pl.read_csv(folder / "answers.csv").height
    RESULT.write_text(page(seconds, answers), encoding="utf-8")
    print(RESULT.read_text(encoding="utf-8"))


def write_package(folder: Path) -> None:
    """Write the package's two files."""
    (folder / "src" / "two_layers").mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (folder / "src" / "two_layers" / "__init__.py").write_text(PACKAGE, encoding="utf-8")


def install(folder: Path) -> Path:
    """Build both wheels and install them into a new environment; return its command."""
    wheels = folder / "wheels"
    for source in (ROOT, folder / "package"):
        subprocess.run(["uv", "build", "--wheel", "--quiet", "--out-dir", wheels, source], check=True)
    subprocess.run(["uv", "venv", "--quiet", folder / "environment"], check=True)
    python = folder / "environment" / "bin" / "python"
    subprocess.run(["uv", "pip", "install", "--quiet", "--python", python, *wheels.glob("*.whl")], check=True)
    (folder / "two-layers.yaml").write_text(APPROACH, encoding="utf-8")
    return folder / "environment" / "bin" / "cxrbench"


def commands(folder: Path) -> dict[str, list[str | Path]]:
    """What is run, in order."""
    films, study, bundle = folder / "films", folder / "study", folder / "bundle"
    sizes = ["--patients", "40", "--size-px", "96", "--detail-px", "64", "--prevalence-scale", "3"]
    return {
        "phantom": ["phantom", "--out", films, *sizes],
        "run": ["run", "--data", films, "--out", study, "--approach", folder / "two-layers.yaml", "--resamples", "2"],
        "bundle": ["bundle", study, "--approach", "two-layers", "--out", bundle],
        "check": ["check", bundle],
        "predict": ["predict", bundle, films, "--out", folder / "answers.csv"],
    }


def run(program: Path, folder: Path, arguments: list[str | Path]) -> float:
    """Run one command in the new environment; return its seconds."""
    started = time.perf_counter()
    subprocess.run([program, *map(str, arguments)], check=True, cwd=folder)
    return time.perf_counter() - started


def page(seconds: dict[str, float], answers: int) -> str:
    """What was seen."""
    rows = "\n".join(f"| `cxrbench {name}` | done in {spent:.0f} s |" for name, spent in seconds.items())
    lines = len(PACKAGE.strip().splitlines())
    return f"""# A backbone of another package

A package of {lines} lines with one entry point in `cxrbench.backbones`, built as a wheel and installed beside
cxrbench's own wheel into a new environment. Made by `benchmarks/outside_package.py` with cxrbench
{metadata.version("cxrbench")}; {answers} films were answered.

| command | |
|---|---|
{rows}
"""


if __name__ == "__main__":
    main()
