"""The report's one HTML page, and the figures and tables that are on it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cxrbench.report import provenance, words
from cxrbench.report.beyond import Beyond, make_beyond
from cxrbench.report.blocks import Section
from cxrbench.report.chapter import Chapter, make_chapter
from cxrbench.report.drawing import Drawing
from cxrbench.report.figures.ages import age_figure
from cxrbench.report.figures.training import training_figure
from cxrbench.report.palette import Look, looks
from cxrbench.report.published import published_beside, why_not_comparable
from cxrbench.report.results import results_of
from cxrbench.report.study import Study
from cxrbench.report.tables.archive import archive_table, left_out_table
from cxrbench.report.tables.table import Table


@dataclass(frozen=True)
class Page:
    """Everything that a report shows."""

    study: Study
    looks: dict[str, Look]
    chapters: tuple[Chapter, ...]
    archive: Table
    left_out: Table
    ages: Drawing | None
    """None where no age is known."""
    training: Drawing
    beyond: tuple[Beyond, ...]
    splits: Table
    runs: Table
    failures: Table

    def drawings(self) -> Iterator[Drawing]:
        """Every figure."""
        yield from (drawing for drawing in (self.ages, self.training) if drawing is not None)
        for section in self._sections():
            yield from section.drawings()

    def tables(self) -> Iterator[Table]:
        """Every table that has a row."""
        yield from (
            table for table in (self.archive, self.left_out, self.splits, self.runs, self.failures) if table.rows
        )
        for section in self._sections():
            yield from section.tables()

    def _sections(self) -> Iterator[Section]:
        """Those of all chapters and parts."""
        for chapter in self.chapters:
            yield from chapter.sections
        for part in self.beyond:
            yield from part.sections


def make_page(study: Study) -> Page:
    """Draw and tabulate a study."""
    own_looks = looks(study.approaches)
    results = [results_of(study, kind, own_looks) for kind in study.kinds]
    return Page(
        study=study,
        looks=own_looks,
        chapters=tuple(map(make_chapter, results)),
        archive=archive_table(study.tables.archive),
        left_out=left_out_table(study.left_out),
        ages=age_figure(study.tables.ages),
        training=training_figure(study.tables.history, study.tables.runs, own_looks),
        beyond=make_beyond(study, results),
        splits=provenance.split_table(study),
        runs=provenance.run_table(study),
        failures=provenance.failure_table(study),
    )


def render_page(page: Page) -> str:
    """The page as HTML, with everything it needs inside."""
    return render(
        "page.html.j2",
        page=page,
        study=page.study,
        archive_name=provenance.archive_name(page.study),
        facts=provenance.facts(page.study),
        machines=provenance.machines(page.study),
        cautions=cautions(page.study),
        why_not=why_not_comparable(page.study),
        published_beside=published_beside,
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
    environment.filters["svg"] = lambda drawing: Markup(drawing.svg)  # noqa: S704 - our own figures
    environment.tests["block"] = lambda block, name: type(block).__name__ == name
    own = {name: Markup(_packaged(file)) for name, file in (("style", "style.css"), ("script", "page.js"))}  # noqa: S704
    return environment.get_template(template).render(words=words, **own, **values)


def cautions(study: Study) -> list[tuple[str, str]]:
    """What must be known before any number is read: title and text."""
    record = study.record
    weights, profile, failed = record["weights"], record["profile"], study.tables.failures.height
    archive = record["archive"]
    said = {
        "Part of the archive": (
            archive["images_missing"] > 0,
            f"{words.count(archive['images'])} of its {words.count(archive['images_listed'])} images are at hand.",
        ),
        "Generated radiographs": (
            archive["is_phantom"],
            "The images were drawn by a program. Nothing here is about patients.",
        ),
        "Not ImageNet": (
            bool(weights and weights["is_stand_in"]),
            "What should start from ImageNet starts from stand-in weights, and says nothing about ImageNet.",
        ),
        f"Profile {profile['name']}": (
            profile["name"] != "paper",
            f"{sentence(profile['summary'])} The numbers are not those of full-size networks.",
        ),
        "Left out": (
            bool(study.left_out),
            f"No network answers {_named(study.left_out)}, which the labels name; the reasons stand under The archive.",
        ),
        "Incomplete": (failed > 0, f"Failed runs: {failed}; they are listed under Provenance."),
    }
    return [(title, text) for title, (applies, text) in said.items() if applies]


def _named(findings: Iterable[str]) -> str:
    """Findings as prose."""
    return words.listed([words.title_of(name) for name in findings])


def sentence(text: str) -> str:
    """Text with a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _packaged(name: str) -> str:
    return (resources.files("cxrbench.report") / "templates" / name).read_text(encoding="utf-8")
