"""Differences between approaches in numbers."""

from collections.abc import Sequence

from cxrbench.report.differences import NIL, Difference
from cxrbench.report.tables.table import Cell, Row, Table
from cxrbench.report.words import NOTHING, decimal, interval, kind_title, p_value, signed


def difference_table(rows: Sequence[Difference], name: str, *, kind: str, about: str) -> Table:
    """Difference of the mean AUC, its interval, test, and how likely it is practically nil."""
    return Table(
        name=name,
        caption=f"{about}, mean AUC over the pathologies. {kind_title(kind)}.",
        columns=("Comparison", "Difference", "95 % interval", "p-value", f"within ± {NIL}"),
        rows=tuple(map(_row, rows)),
        note=f"The last column is the probability that the true difference is practically nil, within ± {NIL}.",
    )


def _row(row: Difference) -> Row:
    nil = NOTHING if row.nil is None else decimal(row.nil, 2)
    cells = (signed(row.value), interval(row.lower, row.upper), p_value(row.p_value), nil)
    return Row(
        f"{row.topic}: {row.label}" if row.topic else row.label,
        tuple(Cell(text, is_best=row.is_clear and place == 0) for place, text in enumerate(cells)),
    )
