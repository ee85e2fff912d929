"""A study's report: one page, and its tables and figures as files beside it."""

from pathlib import Path

from cxrbench import runs
from cxrbench.evaluate.writing import replaced_folder
from cxrbench.report.page import Page, make_page, render_page
from cxrbench.report.study import read_study
from cxrbench.report.tables.latex import to_latex
from cxrbench.report.tables.table import to_csv


def write_report(study: Path) -> Path:
    """Write ``study/report/`` from ``study/results/``; an earlier report is replaced.

    Returns:
        ``index.html``: one self-contained file; ``tables`` and ``figures`` lie beside it.

    Raises:
        StudyError: The study was not evaluated.
    """
    page = make_page(read_study(study))
    with replaced_folder(study / runs.REPORT_FOLDER) as scratch:
        (scratch / "index.html").write_text(render_page(page), encoding="utf-8")
        _write_figures(page, scratch / "figures")
        _write_tables(page, scratch / "tables")
    return study / runs.REPORT_FOLDER / "index.html"


def _write_figures(page: Page, folder: Path) -> None:
    folder.mkdir()
    for drawing in page.drawings():
        (folder / f"{drawing.name}.svg").write_text(drawing.document, encoding="utf-8")


def _write_tables(page: Page, folder: Path) -> None:
    folder.mkdir()
    for table in page.tables():
        (folder / f"{table.name}.csv").write_text(to_csv(table), encoding="utf-8")
        (folder / f"{table.name}.tex").write_text(to_latex(table), encoding="utf-8")
