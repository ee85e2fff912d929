"""Training: losses by epoch, finished runs and failed runs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from cxrbench.report.drawing import Drawing, Look, Margins, Mark, drawing, sheet
from cxrbench.report.study import Study
from cxrbench.report.table import Row, Table, cells
from cxrbench.report.words import decimal, duration, short, slug

COLUMNS, WIDTH, HEIGHT = 4, 1020.0, 205.0


def training_figure(history: pl.DataFrame, runs: pl.DataFrame, looks: Mapping[str, Look]) -> Drawing:
    """Validation loss (dark) and training loss (light) by epoch; a dot marks the epoch that was kept.

    Args:
        history: ``history.csv`` of the results.
        runs: ``runs.csv``.
        looks: Approaches, in the order of the panels.
    """
    rows = -(-len(looks) // COLUMNS)
    marks: dict[str, Mark] = {}
    with sheet(WIDTH, HEIGHT * rows + 24, Margins(left=70, top=26)) as figure:
        panels = np.atleast_1d(figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)).ravel()
        figure.subplots_adjust(hspace=0.22, wspace=0.08)
        for panel, (name, look) in zip(panels, looks.items(), strict=False):
            panel.set_title(name)
            own = runs.filter(pl.col("approach") == name)
            for run in own.iter_rows(named=True):
                marks |= _draw_run(panel, history, run, look)
        for panel in panels[len(looks) :]:
            panel.set_axis_off()
        panels[0].xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        panels[0].set_ylim(*_limits(history))
        figure.supxlabel("Epoch")
        figure.supylabel("Cross-entropy")
        return drawing(figure, "training", alt=_alt(runs), marks=marks)


def _draw_run(panel: Axes, history: pl.DataFrame, run: Mapping[str, Any], look: Look) -> dict[str, Mark]:
    """Both losses of one run; returns what its validation curve stands for."""
    own = history.filter(*(pl.col(key) == run[key] for key in ("approach", "split", "seed")))
    gid = slug(f"{run['approach']} {run['split']} seed {run['seed']}")
    panel.plot(own["epoch"], own["train_loss"], color=look.colour, alpha=0.3, linewidth=0.9)
    panel.plot(own["epoch"], own["val_loss"], color=look.colour, linewidth=1.2, gid=gid)
    panel.plot([run["best_epoch"]], [run["best_val_loss"]], "o", color=look.colour, markersize=4)
    best = f"epoch {run['best_epoch']} kept, validation loss {decimal(run['best_val_loss'], 4)}"
    return {gid: Mark(f"{run['approach']}, {run['split']}, seed {run['seed']}: {best}", run["approach"])}


def _limits(history: pl.DataFrame) -> tuple[float, float]:
    """Range of the losses without the first epochs' peaks."""
    losses = np.concatenate([history["val_loss"].to_numpy(), history["train_loss"].to_numpy()])
    low, high = float(losses.min()), float(np.quantile(losses, 0.97))
    margin = 0.05 * (high - low) or 0.01
    return low - margin, high + 2 * margin


def _alt(runs: pl.DataFrame) -> str:
    kept = runs.group_by("approach", maintain_order=True).agg(pl.col("best_epoch").median())
    listed = ", ".join(f"{name} {epoch:g}" for name, epoch in kept.iter_rows())
    return f"Training and validation loss by epoch, a panel per approach. Median epoch kept: {listed}."


def run_table(study: Study) -> Table:
    """Every finished run: epochs, the epoch kept, its loss, duration, hash of its settings."""
    return Table(
        name="runs",
        caption="Finished runs.",
        columns=("Approach", "Split", "Seed", "Epochs", "Kept", "Validation loss", "Time", "Settings"),
        rows=tuple(map(_run_row, study.tables.runs.iter_rows(named=True))),
        note="Kept: best epoch by the recipe's measure, counted from 0. Settings: first digits of their SHA-256.",
        is_text=True,
    )


def _run_row(run: Mapping[str, Any]) -> Row:
    return Row(
        run["approach"],
        cells(
            [
                run["split"],
                str(run["seed"]),
                str(run["epochs"]),
                str(run["best_epoch"]),
                decimal(run["best_val_loss"], 4),
                duration(run["seconds"]),
                short(run["hash"]),
            ]
        ),
    )


def failure_table(study: Study) -> Table:
    """Runs that failed, with the reason."""
    return Table(
        name="failures",
        caption="Runs that failed; they are in no table above.",
        columns=("Approach", "Split", "Seed", "Reason"),
        rows=tuple(
            Row(row["approach"], cells([row["split"], str(row["seed"]), row["reason"]]))
            for row in study.tables.failures.iter_rows(named=True)
        ),
        is_text=True,
    )
