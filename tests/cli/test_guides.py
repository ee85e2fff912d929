"""The commands of the guides work as they stand there: on a small study, in a folder with what they name."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from broken_films import write_broken_films
from mutated_films import radiograph, sources, written

DOCS = Path(__file__).parents[2] / "docs"
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
PROMPT = "$ "


def commands(guide):
    """The commands of a guide's console blocks."""
    lines = [
        line for block in CONSOLE.findall((DOCS / guide).read_text(encoding="utf-8")) for line in block.splitlines()
    ]
    return [line.removeprefix(PROMPT) for line in lines if line.startswith(PROMPT)]


@pytest.fixture
def folder(small_study, tmp_path, monkeypatch):
    """What the guides name: a study, films, a ward's films, a list, lesions, broken files."""
    shutil.copytree(small_study, tmp_path / "study")
    lesions = next((small_study.parent / "films").rglob("lesions.parquet"))
    shutil.copy(lesions, tmp_path / "lesions.parquet")
    for name in ("films", "ward/east", "broken"):
        (tmp_path / name).mkdir(parents=True)
    write_broken_films(tmp_path / "broken")
    dicom, png = written(radiograph()), sources()[0].content
    for path in ("films/film.dcm", "ward/east/film.dcm", "broken/film.dcm", "film.dcm"):
        (tmp_path / path).write_bytes(dicom)
    for path in ("films/film.png", "broken/film.png", "film.png"):
        (tmp_path / path).write_bytes(png)
    (tmp_path / "list.csv").write_text("path,age,sex,view\nfilm.png,45,M,AP\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("guide", ["bundles.md", "predict.md", "export.md", "explain.md"])
def test_commands_of_a_guide(cxrbench, folder, small_bundle, guide):
    if guide != "bundles.md":
        shutil.copytree(small_bundle, folder / "bundle")
    asked = commands(guide)
    assert len(asked) >= 2
    for command in asked:
        program, *arguments = shlex.split(command)
        assert program == "cxrbench"
        code, _, err = cxrbench(*arguments)
        assert code == 0, f"{command}: {err}"
