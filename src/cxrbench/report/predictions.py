"""A page about files of predictions: the sections of a study's report that need no training."""

from dataclasses import fields

import polars as pl

from cxrbench import __version__
from cxrbench.evaluate.calibrations import AS_THEY_ARE
from cxrbench.evaluate.comparison import COMPARISON_SCHEMA
from cxrbench.evaluate.evaluation import Evaluation
from cxrbench.files import atomic_file
from cxrbench.report.agreement import agreement_section
from cxrbench.report.blocks import Section
from cxrbench.report.curves import curve_section
from cxrbench.report.differences import difference_section
from cxrbench.report.discrimination import discrimination_section
from cxrbench.report.drawing import looks
from cxrbench.report.groups import group_section
from cxrbench.report.headline import headline
from cxrbench.report.page import render
from cxrbench.report.probabilities import probability_section
from cxrbench.report.selection import Results
from cxrbench.report.study import Tables

SECTIONS = (
    discrimination_section,
    difference_section,
    curve_section,
    probability_section,
    agreement_section,
    group_section,
)

PAGE_FILE, FIGURES_FOLDER = "index.html", "figures"


def write_predictions_report(result: Evaluation) -> None:
    """Write ``index.html``, one self-contained file, and ``figures/*.svg`` beside the result tables."""
    results = _results(result)
    sections = tuple(section for make in SECTIONS if (section := make(results)) is not None)
    (result.folder / FIGURES_FOLDER).mkdir(exist_ok=True)
    for drawing in (drawing for section in sections for drawing in section.drawings()):
        with atomic_file(result.folder / FIGURES_FOLDER / f"{drawing.name}.svg") as scratch:
            scratch.write_text(drawing.document, encoding="utf-8")
    with atomic_file(result.folder / PAGE_FILE) as scratch:
        scratch.write_text(_page(result, results, sections), encoding="utf-8")


def _results(result: Evaluation) -> Results:
    """The tables as those of one split; what only a study has is empty."""
    names = tuple(result.tables["auc"]["approach"].unique(maintain_order=True))
    absent = {field.name: pl.DataFrame() for field in fields(Tables)}
    nothing_compared = {"comparison": pl.DataFrame(schema=COMPARISON_SCHEMA)}
    known = {name: table for name, table in result.tables.items() if name in absent}
    return Results(
        kind=result.tables["auc"]["kind"][0],
        tables=Tables(**{**absent, **nothing_compared, **known}),
        approaches=names,
        vocabulary=result.vocabulary,
        looks=looks(names),
        calibration=AS_THEY_ARE,
    )


def _page(result: Evaluation, results: Results, sections: tuple[Section, ...]) -> str:
    return render(
        "predictions.html.j2",
        result=result,
        looks=results.looks,
        best=headline(results) if len(results.approaches) > 1 else None,
        sections=sections,
        version=__version__,
    )
