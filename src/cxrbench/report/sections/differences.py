"""The best approach against every other."""

from cxrbench.report.blocks import Figure, Note, Section, Shown
from cxrbench.report.differences import from_best
from cxrbench.report.figures.forest import forest_figure
from cxrbench.report.results import Results
from cxrbench.report.tables.differences import difference_table


def difference_section(results: Results) -> Section | None:
    """Differences of the mean AUC with their intervals."""
    rows = [row for row in from_best(results.compared, results.ranked) if row.value is not None]
    if not rows:
        return None
    best = results.ranked[0]
    caption = (
        f"{best} against every other approach, with 95 % intervals. Filled: the interval excludes zero. "
        "Grey band: differences that are practically nil."
    )
    name = f"best-{results.kind}"
    table = difference_table(rows, name, about="Best approach against every other", results=results)
    blocks = (
        Figure(forest_figure(rows, name, axis=f"Mean AUC of {best} minus that of …"), caption),
        Shown(table, unfold="In numbers, with p-values"),
    )
    asked = (Note(f"The intervals answer for: {results.question}."),) if results.question else ()
    return Section("How sure the differences are", (*blocks, *asked))
