"""The best approach against every other."""

from cxrbench.report.blocks import Block, Figure, Note, Section, Shown
from cxrbench.report.differences import from_best
from cxrbench.report.figures.forest import forest_figure
from cxrbench.report.figures.standing import standing_figure
from cxrbench.report.results import Results
from cxrbench.report.tables.differences import difference_table


def difference_section(results: Results) -> Section | None:
    """Differences of the mean AUC with their intervals."""
    rows = [row for row in from_best(results.compared, results.ranked) if row.value is not None]
    if not rows:
        return None
    best = results.ranked[0]
    clear = "Filled: the interval excludes zero, and the p-value that allows for all pairs is below 0.05."
    with_intervals = f", with 95 % intervals. {clear}" if results.question else "."
    caption = f"{best} against every other approach{with_intervals} Grey band: differences that are practically nil."
    name = f"best-{results.kind}"
    table = difference_table(rows, name, about="Best approach against every other", results=results)
    blocks = (
        Figure(forest_figure(rows, name, axis=f"Mean AUC of {best} minus that of …"), caption),
        Shown(table, unfold="In numbers, with p-values"),
    )
    said = f"The intervals answer for: {results.question}." if results.question else _no_interval(results)
    return Section("How sure the differences are", (*blocks, Note(said), *_standing(results)))


def _no_interval(results: Results) -> str:
    return (
        f"No interval can be given ({results.why_no_interval}), so nothing is said of how sure these differences are."
    )


def _standing(results: Results) -> tuple[Block, ...]:
    """Mean ranks, where there are enough approaches for an order."""
    standing = results.tables.standing
    if standing.height < 3:
        return ()
    caption = (
        f"Mean rank over {standing['blocks'][0]} pairs of finding and split, 1 being the best. Bars join approaches "
        f"less than Nemenyi’s critical difference of {standing['critical_difference'][0]:.2f} apart. A description: "
        "findings and splits share patients, so the test behind the bars does not hold."
    )
    return (Figure(standing_figure(results), caption),)
