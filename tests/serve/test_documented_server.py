"""What the guide says of the API works as it stands there."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "serve.md"
ADDRESS = "http://127.0.0.1:8000"


@pytest.fixture
def here(film, tmp_path, monkeypatch):
    (tmp_path / "film.png").write_bytes(film)
    monkeypatch.chdir(tmp_path)


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_python_example(server, here, capsys):
    (example,) = blocks("python")
    exec(compile(example.replace(ADDRESS, server[1]), str(GUIDE), "exec"), {})  # noqa: S102
    printed = capsys.readouterr().out
    assert re.search(r"^Effusion \d\.\d+ (present|absent|None)$", printed, re.MULTILINE)
    assert "warning: unknown sex" in printed


def test_the_curl_examples(server, here, tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("needs curl, which is not installed")
    asked = [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ curl")]
    assert len(asked) == 4
    for command in asked:
        done = subprocess.run(
            [*shlex.split(command.replace(ADDRESS, server[1])), "--silent", "--fail"], capture_output=True, check=False
        )
        assert done.returncode == 0, command
    for name in ("heat.png", "shown.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
