"""From the demo's study to an answer beside a film in a PACS, with the commands a user types.

    python benchmarks/demo_to_pacs.py FOLDER [--screenshot FILE]

``cxrbench demo`` unless FOLDER has it; the approach with the best mean AUC becomes a bundle; ``check``; ``predict`` on
films as PNG and DICOM among ten kinds of broken files; ``serve``, whose answers must be those of ``predict`` and whose
page is looked at in Chromium; ``listen`` beside a real Orthanc, whose study must hold report, heat maps and boxes with
those same answers. Needs the extras ``serve`` and ``dicom``, Debian's chromium, orthanc and orthanc-dicomweb. Ends with
1 when a step did not do what it should; else writes ``results/demo_to_pacs.md``.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pydicom
import requests
from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from broken_films import REFUSALS, write_broken_films  # noqa: E402
from cxrbench.environment import describe_environment, free_port  # noqa: E402
from cxrbench.pacs.report import read_probabilities  # noqa: E402
from dicom_film import DX, film_dataset  # noqa: E402
from orthanc import Orthanc, wait_until  # noqa: E402

FILMS = 6
"""As PNG, and again as DICOM."""
NO_MAP = "no heat map"
PATIENCE_MS = 120_000
"""Others may use the same cores."""
KINDS = {
    "1.2.840.10008.5.1.4.1.1.88.22": "report",
    "1.2.840.10008.5.1.4.1.1.7": "heat map",
    "1.2.840.10008.5.1.4.1.1.11.1": "boxes",
}


@dataclass
class Story:
    """Commands as they were typed, and what was seen."""

    folder: Path
    lines: list[str] = field(default_factory=list)

    def types(self, *words: object) -> str:
        """Run a command to its end; gives what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "cxrbench", *map(str, words)],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        require(done.returncode == 0, f"{words[0]}: {done.stderr[-2000:]}")
        self.lines += ["", f"    $ cxrbench {' '.join(map(str, words))}"]
        said = [line for line in done.stdout.splitlines() if line.strip() and not line.startswith("note:")]
        self.lines += [f"    {line}" for line in said][-4:]
        return done.stdout

    def saw(self, what: str) -> None:
        """A fact that was checked."""
        self.lines += ["", what]
        print(what, flush=True)

    @contextmanager
    def running(self, ready: str, *words: object) -> Iterator[re.Match[str]]:
        """A command that goes on until SIGTERM, which it must obey in order."""
        self.lines += ["", f"    $ cxrbench {' '.join(map(str, words))}"]
        log = self.folder / f"{words[0]}.log"
        with log.open("w") as stream:
            command = [sys.executable, "-m", "cxrbench", *map(str, words)]
            process = subprocess.Popen(command, cwd=self.folder, stdout=stream, stderr=stream)
        try:
            yield wait_until(lambda: re.search(ready, log.read_text()), f"{words[0]} is not ready: {log.read_text()}")
            process.send_signal(signal.SIGTERM)
            require(process.wait(120) == 0, f"{words[0]} did not end in order: {log.read_text()[-2000:]}")
        finally:
            process.kill()


def require(is_so: bool, what: str) -> None:
    """End with what went wrong."""
    if not is_so:
        raise SystemExit(f"demo_to_pacs: {what}")


def make_bundle(story: Story) -> None:
    """The best approach of the demo's study."""
    if not (story.folder / "demo" / "study" / "report").exists():
        story.types("demo", "--out", "demo")
    best = (
        pl.read_csv(story.folder / "demo/study/results/auc_summary.csv")
        .filter((pl.col("group") == "all") & (pl.col("finding") == "mean"))
        .sort("mean", descending=True)
    )
    name, value = best["approach"][0], best["mean"][0]
    story.saw(f"Best mean AUC of {best.height} approaches: `{name}`, {value:.3f}.")
    shutil.rmtree(story.folder / "bundle", ignore_errors=True)
    story.types("bundle", "demo/study", "--approach", name, "--out", "bundle")
    story.types("check", "bundle")


def write_films(story: Story) -> Path:
    """Test films of the bundle's run as PNG and as DICOM, among the broken files."""
    table = pl.read_parquet(story.folder / "demo/study/table.parquet")
    folder = story.folder / "inbox"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write_broken_films(folder)
    adults = table.filter(pl.col("age_years").is_between(20, 80) & pl.col("sex").is_not_null()).head(FILMS)
    for number, row in enumerate(adults.iter_rows(named=True)):
        source = next((story.folder / "demo" / "films").rglob(Path(row["path"]).name))
        shutil.copy(source, folder / f"film-{number}.png")
        pixels = cv2.imread(str(source), cv2.IMREAD_GRAYSCALE)
        known = {"PatientAge": f"{int(row['age_years']):03}Y", "PatientSex": row["sex"], "ViewPosition": row["view"]}
        film = film_dataset(pixels, **known, PatientBirthDate=None, PatientID=f"P{number}")
        film.save_as(folder / f"film-{number}.dcm", enforce_file_format=True)
    return folder


def predict(story: Story) -> pl.DataFrame:
    """Everything in the folder, in one go."""
    told = story.types("predict", "bundle", "inbox", "--out", "answers.csv")
    require(f"{2 * FILMS} answered" in told and f"{len(REFUSALS)} not read" in told, f"predict said {told!r}")
    answers = pl.read_csv(story.folder / "answers.csv", infer_schema_length=None)
    answers = answers.with_columns(name=pl.col("path").str.split("/").list.last())
    for name, refusal in REFUSALS.items():
        said = answers.filter(pl.col("name") == name)["error"][0]
        require(bool(said and said.startswith(refusal)), f"{name}: {said!r}")
    story.saw(f"{2 * FILMS} films answered; of {len(REFUSALS)} broken files each is a row with its reason:")
    story.lines += ["", *(f"- `{name}`: {refusal}" for name, refusal in REFUSALS.items())]
    return answers


def of_film(answers: pl.DataFrame, name: str, findings: list[str]) -> np.ndarray:
    """Probabilities (L,) that ``predict`` gave."""
    return answers.filter(pl.col("name") == name).select(findings).to_numpy().astype(float)[0]


def serve(story: Story, answers: pl.DataFrame, screenshot: Path | None) -> list[str]:
    """The same films over HTTP, and the page; gives the findings."""
    findings: list[str] = []
    with story.running(r"(http://127\.0\.0\.1:\d+)", "serve", "bundle", "--port", 0) as ready:
        url = ready[1]
        wait_until(lambda: _is_ready(url), "serve: not ready")
        worst = 0.0
        for number in range(FILMS):
            film = (story.folder / "inbox" / f"film-{number}.dcm").read_bytes()
            said = requests.post(f"{url}/v1/predict", files={"film": film}, timeout=60).json()["findings"]
            findings = [one["finding"] for one in said]
            served = np.array([one["probability"] for one in said])
            worst = max(worst, float(np.abs(served - of_film(answers, f"film-{number}.dcm", findings)).max()))
        require(worst < 1e-5, f"serve and predict differ by {worst}")
        story.saw(
            f"The server's probabilities of {FILMS} DICOM films differ from those of `predict` by {worst:.1e} at most."
        )
        look_at_page(story, url, screenshot)
    return findings


def _is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=5).ok
    except requests.ConnectionError:
        return False


def look_at_page(story: Story, url: str, screenshot: Path | None) -> None:
    """A film is chosen, and findings are clicked until the film has something that speaks for one."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1500, "height": 900})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(url)
        page.set_input_files("#file", story.folder / "inbox" / "film-0.dcm")
        page.wait_for_selector(".finding")
        count = page.locator(".finding").count()
        said = next((text for text in (heat_map(page, place) for place in range(count)) if NO_MAP not in text), NO_MAP)
        require(NO_MAP not in said, "the page has no heat map of any finding")
        if screenshot is not None:
            page.screenshot(path=screenshot)
        browser.close()
    story.saw(f"The page in Chromium: {count} findings, and at a click: {said.splitlines()[0]}")


def heat_map(page: Page, place: int) -> str:
    """Click a finding; gives what the page says of its heat map."""
    page.locator(".finding").nth(place).click()
    said = page.locator("#map", has_text=re.compile("Heat map of .* by"))
    said.wait_for()
    return said.inner_text()


def listen(story: Story, answers: pl.DataFrame, findings: list[str]) -> None:
    """Films are sent to the listener, and found answered in Orthanc."""
    port = free_port()
    (story.folder / "orthanc").mkdir(exist_ok=True)
    shutil.rmtree(story.folder / "spool", ignore_errors=True)
    orthanc = Orthanc(story.folder / "orthanc", listener_port=port).start()
    words = ("listen", "bundle", "--spool", "spool", "--port", port, "--send-to", orthanc.node)
    try:
        films = [pydicom.dcmread(story.folder / "inbox" / f"film-{number}.dcm") for number in range(FILMS)]
        with story.running("ready\n", *words):
            for film in films:
                orthanc.send(orthanc.upload(Path(film.filename)))
            for film in films:
                wait_until(lambda uid=film.StudyInstanceUID: results_of(orthanc, uid), "no results")
        compare(story, [results_of(orthanc, film.StudyInstanceUID) for film in films], answers, findings)
    finally:
        orthanc.stop()


def results_of(orthanc: Orthanc, uid: str) -> list[pydicom.Dataset]:
    """What the study holds beside the film."""
    return [one for one in orthanc.study(uid) if one.SOPClassUID != DX]


def compare(story: Story, kept: list[list[pydicom.Dataset]], answers: pl.DataFrame, findings: list[str]) -> None:
    """Each study has one report, with the probabilities of ``predict``."""
    worst, count = 0.0, dict.fromkeys(KINDS.values(), 0)
    for number, results in enumerate(kept):
        for one in results:
            count[KINDS[one.SOPClassUID]] += 1
        report = next(one for one in results if KINDS[one.SOPClassUID] == "report")
        said = np.array([*read_probabilities(report).values()])
        worst = max(worst, float(np.abs(said - of_film(answers, f"film-{number}.dcm", findings)).max()))
    require(worst < 1e-5, f"reports and predict differ by {worst}")
    require(count["report"] == len(kept), f"{count} for {len(kept)} films")
    kinds = ", ".join(f"{number} x {kind}" for kind, number in count.items())
    story.saw(f"In Orthanc, under the {len(kept)} films' own studies: {kinds}; probabilities as `predict` gave them "
              f"(largest difference {worst:.1e}).")  # fmt: skip


def write(story: Story) -> None:
    """The story with the machine and the versions."""
    machine = describe_environment(device="cpu", threads=0)
    versions = ", ".join(
        f"{name} {machine['versions'][name]}" for name in ("torch", "pydicom") if name in machine["versions"]
    )
    head = ["# From the demo to a PACS", "", "Made by `python benchmarks/demo_to_pacs.py`; commands' last lines.", "",
            f"{machine['processor']}, {machine['cores']} cores, Python {machine['python']}, {versions}."]  # fmt: skip
    (HERE / "results" / "demo_to_pacs.md").write_text("\n".join([*head, *story.lines, ""]), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--screenshot", type=Path, help="where the page's picture goes")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    story = Story(options.folder.resolve())
    make_bundle(story)
    write_films(story)
    answers = predict(story)
    findings = serve(story, answers, options.screenshot)
    listen(story, answers, findings)
    write(story)


if __name__ == "__main__":
    main()
