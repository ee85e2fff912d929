"""The page in a real browser: the script offers a choice of finding, and paper gets every curve."""

import re
import shutil
import subprocess
from pathlib import Path

import polars as pl
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
    assert after.count("<option>") == figures
    hidden = [figure for figure in re.findall(r"<figure [^>]*>", after) if "hidden" in figure]
    assert len(hidden) == figures - choosers  # all but one of each


def test_titles_become_tooltips(browser, page, tmp_path):
    after = visit(browser, page, tmp_path, "--dump-dom")
    marks = re.findall(r'<g [^>]*class="mark"[^>]*>', after)
    assert len(marks) > 20
    assert all("data-title=" in mark for mark in marks)
    assert after.count('<button class="key"') == after.count('class="legend"') * 2  # a button for each approach


def test_tables_can_be_sorted_and_copied(browser, page, tmp_path):
    before = page.read_text(encoding="utf-8")
    after = visit(browser, page, tmp_path, "--dump-dom")
    assert after.count(">Copy</button>") == before.count("<table")
    headings = re.findall(r'<th scope="col">(<button type="button">)?', after)
    assert len(headings) == before.count('<th scope="col">')
    assert sum(map(bool, headings)) > len(headings) / 2  # tables of one row have nothing to sort


def test_sorting_follows_the_numbers_and_comes_back(browser, page, tmp_path):
    script = """<script>
const table = document.querySelector('[data-table="auc-resample"] table');
const heads = () => [...table.tBodies[0].rows].map((row) => row.cells[0].textContent).join(",");
const button = table.tHead.rows[0].cells[2].querySelector("button");
const orders = [heads()];
for (let click = 0; click < 3; click++) { button.click(); orders.push(heads()); }
document.body.dataset.orders = orders.join(";");
</script></body>"""
    own = tmp_path / "page.html"
    own.write_text(page.read_text(encoding="utf-8").replace("</body>", script), encoding="utf-8")
    after = visit(browser, own, tmp_path / "profile", "--dump-dom")
    first, down, up, last = re.search(r'data-orders="([^"]*)"', after)[1].split(";")
    printed = pl.read_csv(page.parent / "tables" / "auc-resample.csv", infer_schema=False)
    name = printed.columns[2]
    by_value = (
        printed.with_columns(pl.col(name).str.slice(0, 5).cast(pl.Float64)).head(3).sort(name)["Finding"].to_list()
    )
    assert first == last == ",".join(printed["Finding"])
    assert up.split(",")[:3] == by_value
    assert down.split(",")[:3] == by_value[::-1]
    assert down.split(",")[3:] == first.split(",")[3:]  # the mean and what is no pathology stay below


def test_it_prints(browser, page, tmp_path):
    visit(browser, page, tmp_path / "profile", "--no-pdf-header-footer", f"--print-to-pdf={tmp_path / 'page.pdf'}")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
