"""The guide's commands and configuration, done as they are written, but for ports."""

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

from cxrbench.config import load_vocabulary
from cxrbench.environment import free_port
from dicom_film import write_film
from orthanc import PLUGIN, PROGRAM, Orthanc, wait_until

GUIDE = (Path(__file__).parents[2] / "docs/pacs.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


ONE_SHOT, LISTEN, WATCH = (shlex.split(block) for block in blocks("sh"))


def test_the_table_of_codes_is_the_one_in_use():
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in GUIDE.splitlines() if line.count("|") == 6
    ]
    codes = {finding.name: finding.coded for finding in load_vocabulary("nih15").findings}
    expected = [[name, code.value, code.scheme, code.meaning, code.source] for name, code in codes.items()]
    assert rows[-len(expected) :] == expected


@pytest.fixture
def folder(tmp_path, eager_bundle, shown_film):
    """A folder with what the guide speaks of."""
    shutil.copytree(eager_bundle, tmp_path / "bundle")
    write_film(tmp_path / "film.dcm", shown_film)
    return tmp_path


def run(command, folder, **options):
    return subprocess.Popen([sys.executable, "-m", *command], cwd=folder, **options)


def test_single_films(folder):
    assert run(ONE_SHOT, folder).wait(300) == 0
    assert {"report.dcm", "heat-map-1.dcm", "boxes.dcm"} <= {path.name for path in (folder / "results/film").iterdir()}


@pytest.mark.skipif(PROGRAM is None or PLUGIN is None, reason="needs Debian's orthanc and orthanc-dicomweb")
@pytest.mark.parametrize("command", [LISTEN, WATCH], ids=["listen", "watch"])
def test_next_to_orthanc(folder, command):
    port = free_port()
    orthanc = Orthanc(folder, listener_port=port)
    (written,) = map(json.loads, blocks("json"))
    (folder / "cxrbench.lua").write_text(blocks("lua")[0])
    settings = json.loads((folder / "orthanc.json").read_text())
    assert settings["DicomAet"] == written["DicomAet"]
    assert written["DicomModalities"] == {"cxrbench": ["CXRBENCH", "127.0.0.1", 11112]}
    if command is LISTEN:
        settings["LuaScripts"] = [str(folder / name) for name in written["LuaScripts"]]
    (folder / "orthanc.json").write_text(json.dumps(settings))
    theirs = {
        "11112": str(port),
        "ORTHANC@127.0.0.1:4242": orthanc.node,
        "http://127.0.0.1:8042/dicom-web": orthanc.web,
    }
    ours = [theirs.get(word, word) for word in command]
    if command is WATCH:
        ours[ours.index("--days") + 1] = "0"  # the test's film is an old one
        ours[ours.index("--seconds") + 1] = "0.5"
    with (folder / "log").open("w") as log:
        process = run(ours, folder, stdout=log, stderr=subprocess.STDOUT)
    try:
        orthanc.start()
        wait_until(lambda: "ready\n" in (folder / "log").read_text(), "the listener is not ready")
        wait_until(lambda: process.poll() is None, (folder / "log").read_text())
        orthanc.upload(folder / "film.dcm")
        study = pydicom.dcmread(folder / "film.dcm").StudyInstanceUID
        wait_until(lambda: {one.Modality for one in orthanc.study(study)} >= {"DX", "SR", "OT", "PR"}, "no results")
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    finally:
        process.kill()
        orthanc.stop()
