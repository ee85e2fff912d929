"""A study's report: one page, and its tables and figures as files beside it."""

from pathlib import Path

from cxrbench import runs
from cxrbench.evaluate.writing import replaced_folder
from cxrbench.report.page import render_page
from cxrbench.report.study import read_study


def write_report(study: Path) -> Path:
    """Write ``study/report/`` from ``study/results/``; an earlier report is replaced.

    Returns:
        ``index.html``: one self-contained file; ``tables`` and ``figures`` lie beside it.

    Raises:
        StudyError: The study was not evaluated.
    """
    content = read_study(study)
    with replaced_folder(study / runs.REPORT_FOLDER) as scratch:
        (scratch / "index.html").write_text(render_page(content), encoding="utf-8")
    return study / runs.REPORT_FOLDER / "index.html"
