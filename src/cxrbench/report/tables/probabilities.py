"""What the best approach's probabilities are worth, before and after calibration."""

from collections.abc import Mapping, Sequence

import polars as pl

from cxrbench.evaluate.calibrations import AS_THEY_ARE, PLATT
from cxrbench.report.results import Results
from cxrbench.report.tables.table import Cell, Row, Table
from cxrbench.report.words import NOTHING, decimal, percent, title_of

Values = Mapping[str, float | None]
NAMES = ("brier_skill", "slope", "intercept", "calibration_error", "average_precision", "prevalence")


def probability_table(results: Results) -> Table:
    """Brier skill, slope, intercept and calibration error as they are and calibrated; average precision."""
    best = results.ranked[0]
    own = results.tables.probabilities.filter(pl.col("approach") == best)
    averaged = "" if results.splits == 1 else ", mean over the splits"
    return Table(
        name=f"probabilities-{results.kind}",
        caption=f"Probabilities of {best}{averaged}{_below(results)}. {results.title}.",
        columns=(
            "Finding",
            "Prevalence",
            "Average precision",
            "Brier skill",
            "Slope",
            "Intercept",
            "Calibration error",
        ),
        rows=tuple(_row(finding, own.filter(pl.col("finding") == finding)) for finding in results.findings),
        note="Brier skill: 0 is no better than the prevalence, 1 perfect. Slope: below 1 they are too extreme. "
        "Intercept: above 0 the finding is commoner than they say. Calibration error: in brackets, what a perfectly "
        "calibrated model would show on as many images. Average precision does not change with calibration.",
    )


def _below(results: Results) -> str:
    """What stands in small print."""
    return "; below each value, after calibration on validation images" if results.calibration == PLATT else ""


def _row(finding: str, own: pl.DataFrame) -> Row:
    raw, platt = (own.filter(pl.col("calibration") == way) for way in (AS_THEY_ARE, PLATT))
    before, after = _means(raw), _means(platt)
    if before["brier_skill"] is None:
        reasons = ", ".join(raw["reason"].drop_nulls().unique().sort())
        return Row(title_of(finding), tuple(Cell(NOTHING, reason=reasons) for _ in range(6)))
    prevalence = before["prevalence"]
    changed = [
        Cell(decimal(before[name], 2), decimal(after[name], 2)) for name in ("brier_skill", "slope", "intercept")
    ]
    cells = (
        Cell(NOTHING if prevalence is None else percent(prevalence)),
        Cell(decimal(before["average_precision"])),
        *changed,
        Cell(_error(before), _error(after)),
    )
    return Row(title_of(finding), cells)


def _means(rows: pl.DataFrame) -> dict[str, float | None]:
    """Means over splits and seeds of what is known."""
    names: Sequence[str] = (*NAMES, "calibration_error_if_perfect")
    values = {name: rows[name].drop_nulls().to_numpy() for name in names}
    return {name: float(known.mean()) if known.size else None for name, known in values.items()}


def _error(values: Values) -> str:
    """Calibration error, and what chance alone would give."""
    return f"{decimal(values['calibration_error'])} ({decimal(values['calibration_error_if_perfect'])})"
