"""Parts of the report about what the networks were asked beyond their test films."""

from collections.abc import Sequence
from dataclasses import dataclass

from cxrbench.report.blocks import Section
from cxrbench.report.results import Results
from cxrbench.report.sections.localisation import localisation_section
from cxrbench.report.sections.nonimage import nonimage_section
from cxrbench.report.study import Study


@dataclass(frozen=True)
class Beyond:
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


def make_beyond(study: Study, results: Sequence[Results]) -> tuple[Beyond, ...]:
    """Draw and tabulate what lies beside the results."""
    parts = (
        ("What the networks look at", study.localisation, localisation_section, "localise study/ --boxes BOXES"),
        ("What age, sex and view contribute", study.nonimage, nonimage_section, "nonimage study/"),
    )
    return tuple(
        Beyond(
            name=asked.folder.name,
            title=title,
            sections=tuple(section for own in results if asked.tables and (section := make(own, asked)) is not None),
            why_not=asked.why_not,
            command=f"cxrbench {command}",
        )
        for title, asked, make, command in parts
    )
