"""The page in a real browser: the script offers a choice of finding, and paper gets every curve."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cxrbench.evaluate import evaluate_study
from cxrbench.report import write_report
from fake_study import write_fake_study

QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--hide-scrollbars", "--disable-dev-shm-usage",
)  # fmt: skip

FEW = ("Effusion", "Infiltration", "Mass", "No Finding")


@pytest.fixture(scope="module")
def browser() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("needs Chromium, which is not installed")


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    study = write_fake_study(tmp_path_factory.mktemp("browser") / "study", patients=400, resamples=2, findings=FEW)
    evaluate_study(study)
    return write_report(study)


def visit(browser: str, page: Path, profile: Path, *options: str) -> str:
    done = subprocess.run(
        [browser, *QUIET, f"--user-data-dir={profile}", *options, page.as_uri()],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_script_adds_a_choice_of_finding(browser, page, tmp_path):
    before = page.read_text(encoding="utf-8")
    after = visit(browser, page, tmp_path, "--dump-dom")
    choosers, figures = before.count('class="chooser'), before.count("data-choice=")
    assert "<select>" not in before
    assert after.count("<select>") == choosers == 4
    assert after.count("<option>") == figures + 1  # all panels together are a choice too
    hidden = [figure for figure in re.findall(r"<figure [^>]*>", after) if "hidden" in figure]
    assert len(hidden) == figures - len(FEW) - 3  # every panel, and the first of the others


def test_titles_become_tooltips(browser, page, tmp_path):
    after = visit(browser, page, tmp_path, "--dump-dom")
    marks = re.findall(r'<g [^>]*class="mark"[^>]*>', after)
    assert len(marks) > 20
    assert all("data-title=" in mark for mark in marks)
    assert after.count("<button") == 2 * 2  # two legends of two approaches


def test_it_prints(browser, page, tmp_path):
    visit(browser, page, tmp_path / "profile", "--no-pdf-header-footer", f"--print-to-pdf={tmp_path / 'page.pdf'}")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
