"""AUCs: the study in one figure, then the paper's table."""

from cxrbench.report.blocks import Block, Figure, Section, Shown
from cxrbench.report.figures.aucs import MOST, auc_figure
from cxrbench.report.figures.mean_auc import mean_auc_figure
from cxrbench.report.results import Results
from cxrbench.report.tables.auc import auc_table
from cxrbench.report.tables.certainty import certainty_table

SEVERAL = "Mean AUC over the pathologies. A dot per split, a bar at their mean. The spread of the dots is no interval."
ONE = (
    "Mean AUC over the pathologies, with its 95 % interval for new patients where every finding has patients enough. "
    "Overlapping intervals do not mean that two approaches are alike: their difference has an interval of its own."
)


def discrimination_section(results: Results) -> Section:
    """How well the approaches tell images with a finding from images without it."""
    caption = ONE if results.has_intervals else SEVERAL
    if results.has_intervals and results.seeds > 1:
        caption += f" Means over up to {results.seeds} seeds: models as they are, on new patients."
    if any(look.is_dashed for look in results.looks.values()):
        caption += " Hollow dots: without age, sex and view."
    figure = Figure(mean_auc_figure(results), caption)
    return Section("AUC per finding", (figure, Shown(auc_table(results)), *_certainty(results)))


def _certainty(results: Results) -> tuple[Block, ...]:
    """How sure each AUC is, where it is of one model."""
    table = certainty_table(results)
    if table is None:
        return ()
    caption = "AUC per finding with its 95 % interval for new patients; no line where too few patients allow none."
    if len(results.ranked) > MOST:
        caption += f" The {MOST} best approaches."
    return (Figure(auc_figure(results), caption), Shown(table, unfold=f"How sure the AUCs of {results.ranked[0]} are"))
