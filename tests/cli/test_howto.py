"""The how-to pages work as they stand there: their files are written, their commands run in order."""

import re
import shlex
import sys
import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors.torch import save_file

from cxrbench.config import BACKBONES, HEADS

PAGES = Path(__file__).parents[2] / "docs/howto"
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
FILE = re.compile(r"# ([\w/-]+\.\w+)\n")
PROMPT = "$ "


def blocks(page):
    return BLOCK.findall((PAGES / f"{page}.md").read_text(encoding="utf-8"))


def write_files(page, folder):
    """Write every block that begins with the name of its file."""
    for _, text in blocks(page):
        if named := FILE.match(text):
            (folder / named[1]).parent.mkdir(exist_ok=True)
            (folder / named[1]).write_text(text, encoding="utf-8")


def install(page, folder):
    """Offer the entry points of the page's ``pyproject.toml``, as an installed package would."""
    offered = [tomllib.loads(text)["project"]["entry-points"] for kind, text in blocks(page) if kind == "toml"]
    lines = [
        line
        for groups in offered
        for group, points in groups.items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in points.items()))
    ]
    described = folder / "your_package-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: your-package\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text("\n".join(lines) + "\n")


def forget_packages():
    """Let the registries look for other packages anew."""
    for registry in (BACKBONES, HEADS):
        vars(registry).pop("_foreign", None)
        registry._cache.clear()


def commands(page):
    lines = [line for kind, text in blocks(page) if kind == "console" for line in text.splitlines()]
    return [shlex.split(line.removeprefix(PROMPT)) for line in lines if line.startswith(PROMPT)]


def write_own_films(folder):
    """Films of 24 patients, and a CSV with three findings of which each film states two or three."""
    rng = np.random.default_rng(0)
    (folder / "films").mkdir()
    lines = ["film,patient,fracture,stent,picc line"]
    for patient in range(24):
        for number in range(2):
            name = f"p{patient:03d}_{number}.png"
            cv2.imwrite(str(folder / "films" / name), rng.integers(0, 255, (80, 80), dtype=np.uint8))
            cells = [rng.choice(["yes", "no"]) for _ in range(3)]
            cells[number] = rng.choice([cells[number], ""])
            lines.append(",".join([name, f"p{patient:03d}", *cells]))
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_weights(folder):
    import timm  # noqa: PLC0415 - most pages need none

    save_file(timm.create_model("test_vit", img_size=64).state_dict(), folder / "weights.safetensors")


@pytest.fixture
def folder(request, make_archive, tmp_path, monkeypatch):
    """What a page needs beside its own files."""
    page = request.param
    if page == "own-findings":
        write_own_films(tmp_path)
    else:
        make_archive(tmp_path / "films")
    if page == "foundation-weights":
        write_weights(tmp_path)
    write_files(page, tmp_path)
    if page == "own-network":
        install(page, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    forget_packages()
    yield tmp_path
    for name in (
        "my_networks",
        "my_losses",
        "my_schedules",
        "your_package",
        "your_package.entries",
        "your_package.heads",
    ):
        sys.modules.pop(name, None)
    monkeypatch.undo()
    forget_packages()


@pytest.mark.parametrize(
    ("folder", "page"), [(path.stem, path.stem) for path in sorted(PAGES.glob("*.md"))], indirect=["folder"]
)
def test_a_page_works(cxrbench, folder, page):
    asked = commands(page)
    assert asked
    for program, *arguments in asked:
        assert program == "cxrbench"
        code, _, err = cxrbench(*arguments)
        assert code == 0, f"{' '.join(arguments)}: {err}"
