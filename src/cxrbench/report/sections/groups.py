"""Groups of images: view position, sex, age."""

from cxrbench.evaluate.groups import ALL
from cxrbench.report.blocks import Block, Figure, Section, Shown
from cxrbench.report.differences import gaps_of
from cxrbench.report.figures.forest import forest_figure
from cxrbench.report.figures.subgroups import subgroup_figure
from cxrbench.report.results import IS_MEAN, Results
from cxrbench.report.tables.gaps import gap_table
from cxrbench.report.tables.subgroups import subgroup_table, without_thin

CAPTION = "Mean AUC by view position, sex and age, a dot per approach; colours as above."


def group_section(results: Results) -> Section | None:
    """Mean AUC per group, and the gaps of the best approach."""
    groups = [group for group in results.tables.auc["group"].unique(maintain_order=True) if group != ALL]
    if not groups or not results.ranked:
        return None
    by_group = without_thin(results.tables.auc_summary.filter(IS_MEAN), results.enough)
    measured = set(by_group.drop_nulls("mean")["group"])
    shown = [group for group in groups if group in measured]
    blocks: list[Block] = [Figure(subgroup_figure(by_group, shown, results), CAPTION)] if shown else []
    blocks.append(Shown(subgroup_table(by_group, groups, results)))
    return Section("Groups of images", (*blocks, *_gaps(results)))


def _gaps(results: Results) -> list[Block]:
    """The best approach's gaps between groups, on the mean over the pathologies that both groups have."""
    best = results.ranked[0]
    rows = gaps_of(results.gaps, best, enough=results.enough, has_intervals=results.has_intervals)
    if not rows:
        return []
    interval = (
        "with 95 % intervals for new patients where they can be had"
        if results.has_intervals
        else "mean over the splits"
    )
    caption = f"Gaps between groups in the mean AUC of {best}, {interval}, over the pathologies that both groups have."
    figure = forest_figure(rows, f"gaps-{results.kind}", axis="Mean AUC of the first group minus that of the second")
    return [Figure(figure, caption), Shown(gap_table(results), unfold="All approaches’ gaps in numbers")]
