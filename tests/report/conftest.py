"""Studies whose page several tests read."""

from pathlib import Path

import pytest

from cxrbench import files, runs
from cxrbench.evaluate import evaluate_study
from cxrbench.explain.nonimage import Asking, nonimage_study
from cxrbench.report import write_report
from cxrbench.runs import RunName, finished_runs
from fake_study import write_fake_study
from report_pages import FEW, Page, write_localisation


@pytest.fixture(scope="session")
def reported_study(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "study"
    write_fake_study(
        folder, patients=150, approaches=["1channel", "1channel-meta", "large-meta"], official=True, findings=FEW
    )
    failed = files.partial_of(RunName("large", "resample-1", 0).folder(folder))
    files.write_json(failed / runs.FAILURE_FILE, {"reason": "loss is nan in epoch 3, batch <7> & more"})
    evaluate_study(folder, replicates=100)
    write_report(folder)
    return folder


@pytest.fixture(scope="session")
def reported_page(reported_study) -> Page:
    return Page((reported_study / "report" / "index.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def analysed_study(tmp_path_factory):
    """A study on one split whose runs were asked everything."""
    folder = tmp_path_factory.mktemp("asked") / "study"
    write_fake_study(folder, patients=150, approaches=["ft", "ft-meta"], resamples=1, findings=FEW)
    evaluate_study(folder, replicates=0)
    names = finished_runs(folder)
    nonimage_study(folder, folder / "nonimage", names=names, asking=Asking(probe_films=0))
    write_localisation(folder, [name for name in names if name.approach == "ft-meta"])
    return folder


@pytest.fixture(scope="session")
def analysed_page(analysed_study):
    return write_report(analysed_study).read_text(encoding="utf-8")
