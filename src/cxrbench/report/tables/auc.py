"""The paper's table: AUC of every finding by every approach."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from cxrbench.evaluate.discrimination import MEAN
from cxrbench.report.results import Results
from cxrbench.report.tables.table import Cell, Row, Table
from cxrbench.report.words import NOTHING, decimal, mean_count, title_of


def auc_table(results: Results) -> Table:
    """Findings by approaches, the best of each row marked; then the mean, then what does not count in it apart."""
    pathologies = results.vocabulary.pathologies
    apart = [MEAN, *(name for name in results.findings if name not in pathologies)]
    if results.has_intervals:
        described = "with 95 % intervals for new patients"
    else:
        described = f"mean ± SD over {results.splits} splits" if results.splits > 1 else "one split"
    return Table(
        name=f"auc-{results.kind}",
        caption=f"AUC per finding and approach. {results.title}, {described}; the best of each row in bold.",
        columns=("Finding", "Positives", *results.approaches),
        rows=tuple(_row(results, name, is_apart=name in apart) for name in (*pathologies, *apart)),
        note=_note(results.auc, len(pathologies)),
    )


def _row(results: Results, finding: str, *, is_apart: bool) -> Row:
    is_own = pl.col("finding") == finding
    own = {row["approach"]: row for row in results.summary.filter(is_own).iter_rows(named=True)}
    best = max((row["mean"] for row in own.values() if row["mean"] is not None), default=None)
    runs = results.auc.filter(is_own)
    cells = [
        _cell(own[name], best, runs.filter(pl.col("approach") == name), has_interval=results.has_intervals)
        for name in results.approaches
    ]
    return Row(title_of(finding), (Cell(_positives(runs)), *cells), is_summary=is_apart)


def _cell(row: Mapping[str, Any], best: float | None, runs: pl.DataFrame, *, has_interval: bool) -> Cell:
    """An AUC, or why there is none."""
    if row["mean"] is None:
        reasons = runs["reason"].drop_nulls().unique().sort()
        return Cell(NOTHING, reason=", ".join(reasons))
    detail = "" if row["sd"] is None else f"± {decimal(row['sd'])}"
    if has_interval and (lower := runs["lower"][0]) is not None:
        detail = f"{decimal(lower)}–{decimal(runs['upper'][0])}"
    # What prints alike is alike: the best is marked at the printed precision.
    is_best = best is not None and decimal(row["mean"]) == decimal(best)
    return Cell(decimal(row["mean"]), detail, is_best=is_best)


def _positives(runs: pl.DataFrame) -> str:
    """Mean number of positive test images over the splits."""
    positives = runs.unique("split")["positives"].drop_nulls().to_numpy()
    return mean_count(positives.tolist()) if positives.size else ""


def _note(auc: pl.DataFrame, pathologies: int) -> str:
    """What the mean leaves out."""
    counted = auc.filter(pl.col("finding") == MEAN)["findings_counted"]
    several = ", mean over the splits" if auc["split"].n_unique() > 1 else ""
    said = f"Positives: test images with the finding{several}. Bold: the highest, not a proven lead."
    least = int(counted.to_numpy().min(initial=pathologies))
    if least < pathologies:
        said += (
            f" In at least one split the mean is over {least} of {pathologies} pathologies; the others lack a class."
        )
    return said
