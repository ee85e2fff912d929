"""A page about files of predictions: the sections of a study's report that need no training."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from cxrbench.evaluate.calibration import AS_THEY_ARE
from cxrbench.evaluate.evaluation import Evaluation
from cxrbench.evaluate.tables import RESULT_TABLES
from cxrbench.files import atomic_file
from cxrbench.report.agreement import agreement_section
from cxrbench.report.curves import curve_section
from cxrbench.report.differences import difference_section
from cxrbench.report.discrimination import discrimination_section, overview_figure
from cxrbench.report.drawing import looks
from cxrbench.report.groups import group_section
from cxrbench.report.headline import headline, question_asked
from cxrbench.report.page import render
from cxrbench.report.probabilities import probability_section
from cxrbench.report.selection import Results
from cxrbench.report.study import Tables
from cxrbench.report.table import to_csv, to_latex

SECTIONS = (
    discrimination_section,
    difference_section,
    curve_section,
    probability_section,
    agreement_section,
    group_section,
)

PAGE_FILE, FIGURES_FOLDER, TABLES_FOLDER = "index.html", "figures", "tables"


def write_predictions_report(result: Evaluation) -> None:
    """Write ``index.html``, one self-contained file, and its figures and tables beside the result tables."""
    results = _results(result)
    overview = overview_figure(results)
    sections = tuple(section for make in SECTIONS if (section := make(results)) is not None)
    drawings = [overview.drawing, *(drawing for section in sections for drawing in section.drawings())]
    _write(result.folder / FIGURES_FOLDER, {f"{drawing.name}.svg": drawing.document for drawing in drawings})
    tables = [table for section in sections for table in section.tables()]
    _write(result.folder / TABLES_FOLDER, {f"{table.name}.csv": to_csv(table) for table in tables})
    _write(result.folder / TABLES_FOLDER, {f"{table.name}.tex": to_latex(table) for table in tables})
    page = render(
        "predictions.html.j2",
        result=result,
        looks=results.looks,
        question=question_asked(results.approaches, "these images", called="models"),
        best=headline(results),
        overview=overview,
        sections=sections,
    )
    _write(result.folder, {PAGE_FILE: page})


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        with atomic_file(folder / name) as scratch:
            scratch.write_text(text, encoding="utf-8")


def _results(result: Evaluation) -> Results:
    """The tables as those of one split; what only a study has is empty."""
    names = tuple(result.tables["auc"]["approach"].unique(maintain_order=True))
    tables = {one.name: result.tables.get(one.name, RESULT_TABLES[one.name].empty()) for one in fields(Tables)}
    return Results(
        kind=result.tables["auc"]["kind"][0],
        tables=Tables(**tables),
        approaches=names,
        vocabulary=result.vocabulary,
        looks=looks(names),
        calibration=AS_THEY_ARE,
    )
