"""ROC curves."""

from cxrbench.report.blocks import Choice, Choices, Legend, Note, Section
from cxrbench.report.figures.roc import roc_panel
from cxrbench.report.results import Results
from cxrbench.report.words import title_of

AVERAGED = "Each curve is the vertical average of the splits’ curves. Scores of different models are never pooled."


def curve_section(results: Results) -> Section | None:
    """A panel per finding."""
    drawn = set(results.tables.roc["finding"])
    panels = tuple(
        Choice(title_of(finding), (roc_panel(finding, results),)) for finding in results.findings if finding in drawn
    )
    if not panels:
        return None
    note = (Note(AVERAGED),) if results.splits > 1 else ()
    return Section("ROC curves", (Legend(), Choices(panels, are_panels=True), *note))
