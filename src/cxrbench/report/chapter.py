"""A chapter of the report: the results on one kind of split."""

from collections.abc import Callable
from dataclasses import dataclass

from cxrbench.report.blocks import Section
from cxrbench.report.headline import Headline, headline
from cxrbench.report.results import Results
from cxrbench.report.sections.agreement import agreement_section
from cxrbench.report.sections.curves import curve_section
from cxrbench.report.sections.differences import difference_section
from cxrbench.report.sections.discrimination import discrimination_section
from cxrbench.report.sections.ensembles import ensemble_section
from cxrbench.report.sections.groups import group_section
from cxrbench.report.sections.ingredients import ingredient_section
from cxrbench.report.sections.probabilities import probability_section

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
