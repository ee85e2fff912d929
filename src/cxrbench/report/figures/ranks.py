"""Rank correlation between the outputs of all pairs of approaches, as a heat map."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from matplotlib.colors import LinearSegmentedColormap

from cxrbench.report.drawing import Drawing, drawing, sheet
from cxrbench.report.palette import ACCENT, INK, PAPER
from cxrbench.report.words import decimal, slug, title_of

CELL, MARGIN = 46.0, 112.0
SHADES = LinearSegmentedColormap.from_list("agreement", ["#ffffff", "#a9c8e4", ACCENT, "#08315c"])


def rank_figure(ranks: pl.DataFrame, approaches: Sequence[str], *, finding: str, kind: str) -> Drawing:
    """Lower triangle of Spearman's coefficients of one finding; the diagonal holds other seeds, where there are any.

    Args:
        ranks: Rows of ``rank_correlation.csv`` of this finding and kind.
        approaches: Rows and columns, in order.
        finding: Its name, or ``mean``.
        kind: Of the splits.
    """
    matrix = _matrix(ranks, approaches)
    lowest = float(np.nanmin(matrix)) if np.isfinite(matrix).any() else 0.0
    size = CELL * len(approaches) + MARGIN
    with sheet(size, size - 26) as figure:
        axes = figure.subplots()
        axes.imshow(matrix, cmap=SHADES, vmin=np.floor(lowest * 10) / 10, vmax=1.0)
        scale = 1.0 - np.floor(lowest * 10) / 10
        for row, column in np.argwhere(np.isfinite(matrix)):
            value = matrix[row, column]
            colour = PAPER if 1.0 - value < 0.55 * scale else INK
            axes.text(column, row, decimal(value, 2), ha="center", va="center", fontsize=9.5, color=colour)
        places = range(len(approaches))
        axes.set_xticks(places, approaches, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(places, approaches)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        return drawing(figure, f"ranks-{kind}-{slug(finding)}", alt=_alt(ranks, finding))


def _matrix(ranks: pl.DataFrame, approaches: Sequence[str]) -> np.ndarray:
    """(A, A), upper triangle NaN."""
    place = {name: row for row, name in enumerate(approaches)}
    matrix = np.full((len(place), len(place)), np.nan)
    for a, b, value in ranks.select("approach_a", "approach_b", "spearman").iter_rows():
        if value is not None and a in place and b in place:
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
