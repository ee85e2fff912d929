"""Contents of the page: chapters, analyses beside the results, and the figures and tables of all."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from cxrbench.report.agreement import agreement_section, ensemble_section
from cxrbench.report.archive import age_figure, archive_table, left_out_table, split_table
from cxrbench.report.blocks import Figure, Note, Section, Shown
from cxrbench.report.curves import curve_section
from cxrbench.report.differences import difference_section, ingredient_section
from cxrbench.report.discrimination import discrimination_section, overview_figure
from cxrbench.report.drawing import Drawing, Look, looks
from cxrbench.report.groups import group_section
from cxrbench.report.headline import Headline, headline
from cxrbench.report.localisation import localisation_section
from cxrbench.report.nonimage import nonimage_section
from cxrbench.report.pretraining import pretraining_table
from cxrbench.report.probabilities import probability_section
from cxrbench.report.published import published_table, why_not_comparable
from cxrbench.report.selection import Results, results_of
from cxrbench.report.study import Analysis, Study
from cxrbench.report.table import Table, marked
from cxrbench.report.training import failure_table, run_table, training_figure
from cxrbench.report.words import SEEN_MARK

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
    overview: Figure
    """The study in one figure."""
    sections: tuple[Section, ...]

    def drawings(self) -> Iterator[Drawing]:
        """Every figure."""
        yield self.overview.drawing
        for section in self.sections:
            yield from section.drawings()


def make_chapter(results: Results) -> Chapter:
    """Draw and tabulate the results on one kind of split."""
    made = (make(results) for make in SECTIONS)
    return Chapter(
        kind=results.kind,
        title=results.title,
        splits=results.splits,
        headline=headline(results),
        overview=overview_figure(results),
        sections=tuple(marked_section(section, results) for section in made if section is not None),
    )


def marked_section(section: Section, results: Results) -> Section:
    """Put the mark of weights that saw test films behind the numbers concerned, and explain it."""
    if not results.seen_approaches:
        return section
    mark, note = SEEN_MARK, results.seen_note
    blocks = tuple(
        replace(block, table=marked(block.table, results.seen_approaches, mark=mark, note=note))
        if isinstance(block, Shown)
        else block
        for block in section.blocks
    )
    if not any(isinstance(block, Shown) and not block.unfold for block in blocks):
        blocks += (Note(note),)
    return replace(section, blocks=blocks)


@dataclass(frozen=True)
class AnalysisPart:
    """A part of the page about one analysis that lies beside the results.

    Attributes:
        name: Name of its folder, and of the part on the page.
        title: Heading.
        sections: One for each kind of split.
        why_not: Why there are none, as a sentence; empty where there are some.
        command: Command that makes them.
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
    return tuple(_part(title, analysis, make, command, results) for title, analysis, make, command in parts)


def _part(
    title: str,
    analysis: Analysis,
    make: Callable[[Results, Analysis], Section | None],
    command: str,
    results: Sequence[Results],
) -> AnalysisPart:
    sections = [(own, make(own, analysis)) for own in results] if analysis.tables else []
    return AnalysisPart(
        name=analysis.folder.name,
        title=title,
        sections=tuple(marked_section(section, own) for own, section in sections if section is not None),
        why_not=analysis.why_not,
        command=f"cxrbench {command}",
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
    """Those with sections."""
    absent: tuple[AnalysisPart, ...]
    """Those without."""
    published: tuple[Table, ...]
    splits: Table
    runs: Table
    failures: Table
    pretraining: Table

    def drawings(self) -> Iterator[Drawing]:
        """Every figure."""
        yield from (drawing for drawing in (self.ages, self.training) if drawing is not None)
        for chapter in self.chapters:
            yield from chapter.drawings()
        for part in self.analyses:
            yield from (drawing for section in part.sections for drawing in section.drawings())

    def tables(self) -> Iterator[Table]:
        """Every table that has a row."""
        own = (self.archive, self.left_out, self.splits, self.runs, self.failures, self.pretraining, *self.published)
        yield from (table for table in own if table.rows)
        groups = [*(chapter.sections for chapter in self.chapters), *(part.sections for part in self.analyses)]
        yield from (table for sections in groups for section in sections for table in section.tables())


def make_page(study: Study) -> Page:
    """Draw and tabulate a study."""
    own_looks = looks(study.approaches)
    results = [results_of(study, kind, own_looks) for kind in study.kinds]
    parts = analysis_parts(study, results)
    is_comparable = why_not_comparable(study) is None
    return Page(
        study=study,
        looks=own_looks,
        chapters=tuple(map(make_chapter, results)),
        archive=archive_table(study.tables.archive),
        left_out=left_out_table(study.left_out),
        ages=age_figure(study.tables.ages),
        training=training_figure(study.tables.history, study.tables.runs, own_looks),
        analyses=tuple(part for part in parts if part.sections),
        absent=tuple(part for part in parts if not part.sections),
        published=tuple(published_table(study, own) for own in results if own.ranked) if is_comparable else (),
        splits=split_table(study),
        runs=run_table(study),
        failures=failure_table(study),
        pretraining=pretraining_table(study),
    )
