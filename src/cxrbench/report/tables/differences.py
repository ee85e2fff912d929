"""Differences between approaches in numbers."""

from collections.abc import Sequence

from cxrbench.report.differences import NIL, Difference
from cxrbench.report.results import Results
from cxrbench.report.tables.table import Cell, Row, Table
from cxrbench.report.words import NOTHING, decimal, interval, p_value, signed


def difference_table(rows: Sequence[Difference], name: str, *, about: str, results: Results) -> Table:
    """Difference of the mean AUC, its interval, test, what could have been seen, and how likely it is nil."""
    return Table(
        name=name,
        caption=f"{about}, mean AUC over the pathologies. {results.title}.",
        columns=("Comparison", "Difference", "95 % interval", "p", "p, Holm", "Detectable", f"within ± {NIL}"),
        rows=tuple(map(_row, rows)),
        note="Holm: adjusted for all pairs of approaches. Detectable: the smallest difference that this study would "
        f"show with a power of 80 %. Last column: probability that the true difference is within ± {NIL}, where known.",
    )


def _row(row: Difference) -> Row:
    cells = (
        signed(row.value),
        interval(row.lower, row.upper),
        p_value(row.p_value),
        p_value(row.p_adjusted),
        decimal(row.detectable),
        NOTHING if row.nil is None else decimal(row.nil, 2),
    )
    label = f"{row.topic}: {row.label}" if row.topic else row.label
    return Row(label, tuple(Cell(text, is_best=row.is_clear and place == 0) for place, text in enumerate(cells)))
