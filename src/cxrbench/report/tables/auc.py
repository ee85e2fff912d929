"""The paper's table: AUC of every finding by every approach."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from cxrbench.findings import NO_FINDING
from cxrbench.report.tables.table import Cell, Row, Table
from cxrbench.report.words import NOTHING, count, decimal, kind_title, title_of

MEAN = "mean"


def auc_table(auc: pl.DataFrame, summary: pl.DataFrame, approaches: Sequence[str], *, kind: str) -> Table:
    """Findings by approaches, the best of each row marked; then the mean, then "No Finding" apart.

    Args:
        auc: ``auc.csv``, all images, of this kind of split.
        summary: ``auc_summary.csv`` likewise.
        approaches: Columns, in order.
        kind: Of the splits.
    """
    findings = [name for name in summary["finding"].unique(maintain_order=True) if name not in {MEAN, NO_FINDING}]
    rows = [_row(auc, summary, finding, approaches) for finding in findings]
    last = [_row(auc, summary, name, approaches) for name in (MEAN, NO_FINDING) if name in set(summary["finding"])]
    splits = auc["split"].n_unique()
    described = f"mean ± SD over {splits} splits" if splits > 1 else "one split"
    return Table(
        name=f"auc-{kind}",
        caption=f"AUC per finding and approach. {kind_title(kind)}, {described}; the best of each row in bold.",
        columns=("Finding", "Positives", *approaches),
        rows=(*rows, *last),
        note=_note(auc, findings),
    )


def _row(auc: pl.DataFrame, summary: pl.DataFrame, finding: str, approaches: Sequence[str]) -> Row:
    own = {row["approach"]: row for row in summary.filter(pl.col("finding") == finding).iter_rows(named=True)}
    best = max((row["mean"] for row in own.values() if row["mean"] is not None), default=None)
    rows = auc.filter(pl.col("finding") == finding)
    values = [_cell(own.get(name), best, rows.filter(pl.col("approach") == name)) for name in approaches]
    return Row(title_of(finding), (Cell(_positives(rows)), *values), is_summary=finding in {MEAN, NO_FINDING})


def _cell(row: Mapping[str, Any] | None, best: float | None, runs: pl.DataFrame) -> Cell:
    """An AUC, or why there is none."""
    if row is None or row["mean"] is None:
        reasons = runs["reason"].drop_nulls().unique().sort()
        return Cell(NOTHING, reason=", ".join(reasons) or "not trained")
    detail = "" if row["sd"] is None else f"± {decimal(row['sd'])}"
    # What prints alike is alike: the best is marked at the printed precision.
    is_best = best is not None and decimal(row["mean"]) == decimal(best)
    return Cell(decimal(row["mean"]), detail, is_best=is_best)


def _positives(rows: pl.DataFrame) -> str:
    """Mean number of positive test images over the splits."""
    positives = rows.unique("split")["positives"].drop_nulls().to_numpy()
    return count(round(float(positives.mean()))) if positives.size else ""


def _note(auc: pl.DataFrame, findings: Sequence[str]) -> str:
    """What the mean leaves out."""
    counted = auc.filter(pl.col("finding") == MEAN)["findings_counted"]
    said = "Positives: test images with the finding, mean over the splits. Bold: the highest, not a proven lead."
    least = int(counted.to_numpy().min(initial=len(findings)))
    if least < len(findings):
        said += (
            f" In at least one split the mean is over {least} of {len(findings)} pathologies; the others lack a class."
        )
    return said
