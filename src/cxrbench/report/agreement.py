"""Rank correlation between approaches, and ensembles of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from matplotlib.colors import LinearSegmentedColormap

from cxrbench.evaluate.columns import MEAN
from cxrbench.evaluate.ensembles import SEEDS_OF
from cxrbench.report.blocks import Choice, Choices, Section, Shown
from cxrbench.report.drawing import ACCENT, Drawing, Margins, drawing, room_for, sheet
from cxrbench.report.selection import IS_MEAN, Results
from cxrbench.report.table import Cell, Row, Table, cells
from cxrbench.report.words import NOTHING, decimal, interval, plus_minus, slug, title_of

CAPTION = "Spearman’s rank correlation between the outputs on the same test images"

CEILING = " On the diagonal: the same approach from another seed, as alike as two models can be expected to be."

CELL = 50.0

DARK_CELL_INK, LIGHT_CELL_INK = "#fefefe", "#1c2025"
"""Figures in cells; other than the page's colours, since the cells are the same on dark screens."""

SHADES = LinearSegmentedColormap.from_list("agreement", ["#f3f7fb", "#a9c8e4", ACCENT, "#08315c"])

DARK = 0.5
"""Shades beyond this share of the scale carry white figures."""

MEMBERS = {"probability": "mean of probabilities", "rank": "mean of ranks"}


def agreement_section(results: Results) -> Section | None:
    """A heat map for the mean, then for each finding."""
    ranks = results.tables.rank_correlation
    if not ranks.height:
        return None
    averaged = ", averaged over the splits." if results.splits > 1 else "."
    ceiling = CEILING if (ranks["approach_a"] == ranks["approach_b"]).any() else ""
    choices = tuple(
        Choice(
            title_of(finding),
            (agreement_figure(ranks.filter(pl.col("finding") == finding), results, finding=finding),),
            f"{title_of(finding)}. {CAPTION}{averaged}{ceiling}",
        )
        for finding in (MEAN, *results.findings)
    )
    numbers = Shown(agreement_table(results), unfold="Rank correlations in numbers, with intervals")
    title = "Do the approaches agree?" if len(results.approaches) > 1 else "Do the seeds agree?"
    return Section(title, (Choices(choices), numbers))


def agreement_figure(ranks: pl.DataFrame, results: Results, *, finding: str) -> Drawing:
    """Lower triangle of Spearman's coefficients of one finding; the diagonal holds other seeds, where there are any.

    Args:
        ranks: Rows of ``rank_correlation.csv`` of this finding and kind.
        results: Results on this kind of split; their approaches are rows and columns.
        finding: Name of the finding, or ``mean``.
    """
    approaches = [results.label(name) for name in results.approaches]
    matrix = _matrix(ranks, results.approaches)
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
            colour = DARK_CELL_INK if (value - lowest) / (1 - lowest) > DARK else LIGHT_CELL_INK
            axes.text(column, row, decimal(value, 2), ha="center", va="center", color=colour)
        axes.set_xticks(range(len(across)), across, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(down)), down)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        return drawing(figure, f"ranks-{results.kind}-{slug(finding)}", alt=_alt(ranks, finding))


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


def agreement_table(results: Results) -> Table:
    """Every pair of approaches, the least alike first; another seed of the same approach is the ceiling."""
    pairs = results.tables.rank_correlation.filter(IS_MEAN).sort("spearman", nulls_last=True)
    splits = "" if results.splits == 1 else ", averaged over the splits"
    return Table(
        name=f"agreement-{results.kind}",
        caption=f"Spearman’s rank correlation, mean over the pathologies{splits}. {results.title}.",
        columns=("Approaches", "Rank correlation", "95 % interval for new patients", "SD over splits"),
        rows=tuple(_pair_row(pair) for pair in pairs.iter_rows(named=True)),
        note="The interval is a patient bootstrap. The SD describes the splits. It is not a standard error, since "
        "training parts overlap.",
    )


def _pair_row(pair: Mapping[str, Any]) -> Row:
    is_ceiling = pair["approach_a"] == pair["approach_b"]
    name = f"{pair['approach_a']}, another seed" if is_ceiling else f"{pair['approach_a']} and {pair['approach_b']}"
    of = (pair["approach_a"], pair["approach_b"])
    if pair["spearman"] is None:
        return Row(name, (Cell(NOTHING, reason="all outputs of one are equal"), Cell(NOTHING), Cell(NOTHING)))
    values = (decimal(pair["spearman"]), interval(pair["lower"], pair["upper"]), decimal(pair["sd"]))
    return Row(name, cells(values, of=of), is_summary=is_ceiling)


def ensemble_section(results: Results) -> Section | None:
    """Ensembles of approaches and of seeds."""
    table = ensemble_table(results) if results.ranked else None
    return Section("Ensembles", (Shown(table),)) if table else None


def ensemble_table(results: Results) -> Table | None:
    """Mean AUC of every ensemble; None where there is none."""
    own = results.tables.ensembles.filter(IS_MEAN)
    if not own.height:
        return None
    rows = [
        Row(
            f"{name}, {MEMBERS[str(way)]}",
            (Cell(str(of["members"][0])), Cell(_ensemble_mean(of), of=_members(str(name), results))),
        )
        for (name, way), of in own.group_by("ensemble", "mean_of", maintain_order=True)
    ]
    best = results.summary.filter(IS_MEAN & (pl.col("approach") == results.ranked[0])).row(0, named=True)
    single = Row(
        f"{best['approach']} alone",
        (Cell("1"), Cell(plus_minus(best["mean"], best["sd"]), of=(best["approach"],))),
        is_summary=True,
    )
    return Table(
        name=f"ensembles-{results.kind}",
        caption=f"Several models as one: mean AUC over the pathologies. {results.title}.",
        columns=("Ensemble", "Members", "Mean AUC"),
        rows=(*rows, single),
        note="All members scored the same test images. The best single approach was chosen on them, too.",
    )


def _members(ensemble: str, results: Results) -> tuple[str, ...]:
    """Approaches in an ensemble: one with its seeds, or all."""
    seeds_of = ensemble.removeprefix(SEEDS_OF)
    return (seeds_of,) if seeds_of in results.approaches else results.approaches


def _ensemble_mean(of: pl.DataFrame) -> str:
    """Mean ± SD over the splits."""
    values = of["auc"].drop_nulls().to_numpy()
    if not values.size:
        return decimal(None)
    return plus_minus(float(values.mean()), float(values.std(ddof=1)) if values.size > 1 else None)
