"""The phantom's guide: its code runs, and it names every setting, file and sign."""

import re
from pathlib import Path

import pytest

from cxrbench.data.phantom import PhantomSettings
from cxrbench.data.phantom.epidemiology import PATHOLOGIES
from cxrbench.data.phantom.release import generate_release

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "phantom.md").read_text(encoding="utf-8")


def test_the_code_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE, flags=re.DOTALL)
    exec(compile(code.replace("workers=2", "workers=1"), "docs/phantom.md", "exec"), {})  # noqa: S102 - the guide is ours
    assert "auc_context" in capsys.readouterr().out


@pytest.mark.parametrize("name", PhantomSettings.model_fields)
def test_every_setting_is_explained(name):
    assert f"`{name}`" in GUIDE


@pytest.mark.parametrize("name", PATHOLOGIES)
def test_every_sign_is_described(name):
    assert f"| {name.replace('_', ' ')} |" in GUIDE


def test_every_file_is_named(tmp_path):
    generate_release(tmp_path / "films", PhantomSettings(patients=2, size_px=64, detail_px=32))
    assert all(f"`{path.name}`" in GUIDE for path in (tmp_path / "films").iterdir() if path.is_file())


def test_the_defaults_are_stated():
    for name in ("size_px", "detail_px", "invisible"):
        default = PhantomSettings.model_fields[name].default
        assert f"| `{name}` | {default} |" in GUIDE


def test_pictures_are_there():
    for name in re.findall(r"\]\((images/[^)]+)\)", GUIDE):
        assert (DOCS / name).stat().st_size < 500_000
