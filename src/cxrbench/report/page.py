"""The report as one HTML page, with its tables and figures as files beside it."""

from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cxrbench import __version__, runs
from cxrbench.files import replaced_folder
from cxrbench.report import provenance, words
from cxrbench.report.contents import Page, make_page
from cxrbench.report.drawing import themed
from cxrbench.report.headline import cautions, question_asked
from cxrbench.report.published import why_not_comparable
from cxrbench.report.study import read_study
from cxrbench.report.table import to_csv, to_latex


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


def render_page(page: Page) -> str:
    """Return the page as HTML, with everything it needs inside."""
    study, splits = page.study, [chapter.splits for chapter in page.chapters]
    why_not = why_not_comparable(study)
    return render(
        "page.html.j2",
        page=page,
        study=study,
        question=question_asked(study.approaches, provenance.archive_name(study)),
        facts=provenance.facts(study),
        machines=provenance.machines(study),
        cautions=cautions(study),
        why_not=why_not,
        has_absences=bool(page.absent or why_not),
        has_several_splits=max(splits) > 1,
        has_one_split=min(splits) == 1,
    )


def render(template: str, **values: Any) -> str:
    """A template filled in; style and script go into the page."""
    environment = Environment(
        loader=PackageLoader("cxrbench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["svg"] = lambda drawing: Markup(themed(drawing.svg))  # noqa: S704 - our own figures
    environment.filters["themed"] = themed
    environment.tests["block"] = lambda block, name: type(block).__name__ == name
    own = {name: Markup(_packaged(file)) for name, file in (("style", "style.css"), ("script", "page.js"))}  # noqa: S704
    return environment.get_template(template).render(
        words=words, version=__version__, date=provenance.today(), **own, **values
    )


def _packaged(name: str) -> str:
    return (resources.files("cxrbench.report") / "templates" / name).read_text(encoding="utf-8")
