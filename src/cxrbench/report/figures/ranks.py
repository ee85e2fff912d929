"""Rank correlation between the outputs of all pairs of approaches, as a heat map."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from matplotlib.colors import LinearSegmentedColormap

from cxrbench.report.drawing import Drawing, Margins, drawing, room_for, sheet
from cxrbench.report.palette import ACCENT, INK, PAPER
from cxrbench.report.words import decimal, slug, title_of

CELL = 50.0
SHADES = LinearSegmentedColormap.from_list("agreement", ["#f3f7fb", "#a9c8e4", ACCENT, "#08315c"])
DARK = 0.5
"""Shades beyond this share of the scale carry white figures."""


def rank_figure(ranks: pl.DataFrame, approaches: Sequence[str], *, finding: str, kind: str) -> Drawing:
    """Lower triangle of Spearman's coefficients of one finding; the diagonal holds other seeds, where there are any.

    Args:
        ranks: Rows of ``rank_correlation.csv`` of this finding and kind.
        approaches: Rows and columns, in order; two or more.
        finding: Its name, or ``mean``.
        kind: Of the splits.
    """
    matrix = _matrix(ranks, approaches)
    has_diagonal = bool(np.isfinite(np.diag(matrix)).any())
    down, across = (approaches, approaches) if has_diagonal else (approaches[1:], approaches[:-1])
    shown = matrix if has_diagonal else matrix[1:, :-1]
    lowest = np.floor(np.nanmin(shown) * 10) / 10 if np.isfinite(shown).any() else 0.0
    margins = Margins(left=room_for(down), bottom=room_for(across))
    width = CELL * len(across) + margins.left + margins.right
    with sheet(width, CELL * len(down) + margins.top + margins.bottom, margins) as figure:
        axes = figure.subplots()
        axes.imshow(shown, cmap=SHADES, vmin=lowest, vmax=1.0)
        for row, column in np.argwhere(np.isfinite(shown)):
            value = float(shown[row, column])
            colour = PAPER if (value - lowest) / (1 - lowest) > DARK else INK
            axes.text(column, row, decimal(value, 2), ha="center", va="center", color=colour)
        axes.set_xticks(range(len(across)), across, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(down)), down)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        return drawing(figure, f"ranks-{kind}-{slug(finding)}", alt=_alt(ranks, finding))


def _matrix(ranks: pl.DataFrame, approaches: Sequence[str]) -> np.ndarray:
    """(A, A), upper triangle NaN."""
    place = {name: row for row, name in enumerate(approaches)}
    matrix = np.full((len(place), len(place)), np.nan)
    for a, b, value in ranks.select("approach_a", "approach_b", "spearman").iter_rows():
        if value is not None:
            matrix[max(place[a], place[b]), min(place[a], place[b])] = value
    return matrix


def _alt(ranks: pl.DataFrame, finding: str) -> str:
    known = ranks.drop_nulls("spearman").sort("spearman")
    if not known.height:
        return f"Rank correlation, {title_of(finding)}: nothing to show."
    low, high = known.row(0, named=True), known.row(-1, named=True)
    return (
        f"Heat map of Spearman's rank correlation, {title_of(finding)}: lowest {decimal(low['spearman'], 2)} between "
        f"{low['approach_a']} and {low['approach_b']}, highest {decimal(high['spearman'], 2)} between "
        f"{high['approach_a']} and {high['approach_b']}."
    )
