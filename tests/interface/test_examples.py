"""The examples of the Python interface work as they stand there: in its docstrings, and on its page."""

import doctest
import re
import shutil
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
FIXTURE = ROOT / "tests/fixtures/study-0.1"
PAGE = ROOT / "docs/python.md"
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A finished study, a bundle and a film, as the examples name them."""
    for name in ("study", "bundle"):
        shutil.copytree(FIXTURE / name, tmp_path / name)
    film = np.random.default_rng(0).integers(0, 255, (120, 100), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "film.png"), film)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("module", ["assessment", "bundle", "labels", "study"])
def test_docstrings(folder, module, capsys):
    found = doctest.testmod(import_module(f"cxrbench.interface.{module}"), optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert found.attempted
    assert not found.failed, capsys.readouterr().out


@pytest.mark.slow
def test_page(folder, make_archive):
    make_archive(folder / "films")
    names = {}
    for number, code in enumerate(PYTHON.findall(PAGE.read_text(encoding="utf-8")), start=1):
        exec(compile(code, f"{PAGE.name}, snippet {number}", "exec"), names)  # noqa: S102 - our own page
    assert names["study"].approaches == ("1channel", "1channel-meta")
    assert (folder / "differences.svg").exists()
