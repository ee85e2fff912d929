"""Contents of the page: chapters, analyses beside the results, and the figures and tables of all."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cxrbench.report.agreement import agreement_section, ensemble_section
from cxrbench.report.archive import age_figure, archive_table, left_out_table, split_table
from cxrbench.report.blocks import Section
from cxrbench.report.curves import curve_section
from cxrbench.report.differences import difference_section, ingredient_section
from cxrbench.report.discrimination import discrimination_section
from cxrbench.report.drawing import Drawing, Look, looks
from cxrbench.report.groups import group_section
from cxrbench.report.headline import Headline, headline
from cxrbench.report.localisation import localisation_section
from cxrbench.report.nonimage import nonimage_section
from cxrbench.report.pretraining import pretraining_table
from cxrbench.report.probabilities import probability_section
from cxrbench.report.selection import Results, results_of
from cxrbench.report.study import Study
from cxrbench.report.table import Table
from cxrbench.report.training import failure_table, run_table, training_figure

SECTIONS: tuple[Callable[[Results], Section | None], ...] = (
    discrimination_section,
    difference_section,
    ingredient_section,
    curve_section,
    probability_section,
    agreement_section,
    ensemble_section,
    group_section,
)
"""In the order of the report; each leaves out what it has nothing for."""


@dataclass(frozen=True)
class Chapter:
    """Results on one kind of split."""

    kind: str
    title: str
    splits: int
    headline: Headline | None
    sections: tuple[Section, ...]


def make_chapter(results: Results) -> Chapter:
    """Draw and tabulate the results on one kind of split."""
    made = (make(results) for make in SECTIONS)
    return Chapter(
        kind=results.kind,
        title=results.title,
        splits=results.splits,
        headline=headline(results),
        sections=tuple(section for section in made if section is not None),
    )


@dataclass(frozen=True)
class AnalysisPart:
    """One such part.

    Attributes:
        name: Of its folder, and on the page.
        title: Its heading.
        sections: One per kind of split.
        why_not: Why there are none; empty where there are some.
        command: What makes them.
    """

    name: str
    title: str
    sections: tuple[Section, ...]
    why_not: str
    command: str


def analysis_parts(study: Study, results: Sequence[Results]) -> tuple[AnalysisPart, ...]:
    """Draw and tabulate what lies beside the results."""
    parts = (
        ("What the networks look at", study.localisation, localisation_section, "localise study/ --boxes BOXES"),
        ("What age, sex and view contribute", study.nonimage, nonimage_section, "nonimage study/"),
    )
    return tuple(
        AnalysisPart(
            name=analysis.folder.name,
            title=title,
            sections=tuple(
                section for own in results if analysis.tables and (section := make(own, analysis)) is not None
            ),
            why_not=analysis.why_not,
            command=f"cxrbench {command}",
        )
        for title, analysis, make, command in parts
    )


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
    analyses: tuple[AnalysisPart, ...]
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
        for part in self.analyses:
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
        analyses=analysis_parts(study, results),
        splits=split_table(study),
        runs=run_table(study),
        failures=failure_table(study),
        pretraining=pretraining_table(study),
    )
