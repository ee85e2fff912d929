"""The report's one HTML page, and the figures and tables that are on it."""

from collections.abc import Iterable, Iterator, Sequence
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
from cxrbench.report.results import results_of, seen_before
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
    pretraining: Table

    def drawings(self) -> Iterator[Drawing]:
        """Every figure."""
        yield from (drawing for drawing in (self.ages, self.training) if drawing is not None)
        for section in self._sections():
            yield from section.drawings()

    def tables(self) -> Iterator[Table]:
        """Every table that has a row."""
        own = (self.archive, self.left_out, self.splits, self.runs, self.failures, self.pretraining)
        yield from (table for table in own if table.rows)
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
        pretraining=provenance.pretraining_table(study),
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
    profile, failed, archive = record["profile"], study.tables.failures.height, record["archive"]
    weights = provenance.pretraining(study)
    stand_ins = [name for name, one in weights.items() if one.is_stand_in]
    not_for_sale = [f"{name} ({one.licence})" for name, one in weights.items() if one.is_non_commercial]
    said = {
        "Part of the archive": (
            archive["images_missing"] > 0,
            f"{words.count(archive['images'])} of its {words.count(archive['images_listed'])} images are at hand.",
        ),
        "Generated radiographs": (
            archive["is_phantom"],
            "The images were drawn by a program. Nothing here is about patients.",
        ),
        "Stand-in weights": (
            bool(stand_ins),
            _stand_ins(stand_ins),
        ),
        "Seen before": (bool(seen := _seen(study)), seen),
        "Not for commercial use": (
            bool(not_for_sale),
            f"The licence of the pre-trained weights forbids it: {words.listed(not_for_sale)}.",
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


def _stand_ins(approaches: Sequence[str]) -> str:
    return (
        f"Stand-ins, trained on generated pictures, replace the published weights of {words.listed(list(approaches))}. "
        "These results are not ImageNet's or any other published weights'."
    )


def _seen(study: Study) -> str:
    """Return which approaches are tested on films that their pre-trained weights saw; empty where none is."""
    told = []
    for (name,), rows in seen_before(study.tables).group_by("approach", maintain_order=True):
        worst = rows.sort("test_seen", descending=True).row(0, named=True)
        most = "up to " if worst["basis"] == "archive" else ""
        told.append(
            f"{name} ({most}{words.count(worst['test_seen'])} of {words.count(worst['test_images'])} test films of "
            f"{worst['split']}, {worst['archive']} {'with' if worst['with_labels'] else 'without'} labels)"
        )
    if not told:
        return ""
    return f"Pre-trained weights saw test films: {words.listed(told)}. Their results are too good by an unknown amount."


def sentence(text: str) -> str:
    """Text with a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _packaged(name: str) -> str:
    return (resources.files("cxrbench.report") / "templates" / name).read_text(encoding="utf-8")
