"""AUCs: the study in one figure, then the paper's table."""

from cxrbench.report.blocks import Figure, Section, Shown
from cxrbench.report.figures.mean_auc import mean_auc_figure
from cxrbench.report.results import Results
from cxrbench.report.tables.auc import auc_table
from cxrbench.report.tables.certainty import certainty_table

SEVERAL = (
    "Mean AUC over the pathologies. A dot per split, a bar at their mean; hollow dots: without age, sex and view. "
    "The spread of the dots is no interval."
)
ONE = (
    "Mean AUC over the pathologies, with its 95 % interval for new patients where every finding has patients enough; "
    "hollow dots: without age, sex and view. "
    "Overlapping intervals do not mean that two approaches are alike: their difference has an interval of its own."
)


def discrimination_section(results: Results) -> Section:
    """How well the approaches tell images with a finding from images without it."""
    figure = Figure(mean_auc_figure(results), ONE if results.has_intervals else SEVERAL)
    certainty = certainty_table(results)
    folded = (Shown(certainty, unfold=f"How sure the AUCs of {results.ranked[0]} are"),) if certainty else ()
    return Section("AUC per finding", (figure, Shown(auc_table(results)), *folded))
