"""Curves of one finding by approach: ROC, calibration and decision curves."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from cxrbench.evaluate.calibration import PLATT
from cxrbench.report.blocks import Block, Choice, Choices, Figure, Note, Section
from cxrbench.report.drawing import FAINT, Drawing, Margins, Mark, drawing, sheet
from cxrbench.report.panels import Panel, panels_figure
from cxrbench.report.selection import Results
from cxrbench.report.words import auc_said, decimal, percent, plus_minus, slug, title_of

WIDTH, HEIGHT = 620.0, 400.0
TICKS = ([0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5], ["0.5 %", "1 %", "2 %", "5 %", "10 %", "20 %", "50 %"])
NORMAL = 1.96
"""Half the width of a 95 % interval, in standard errors."""


def curve_section(results: Results) -> Section | None:
    """Show ROC curves: a panel for each approach, for the finding that is chosen; of one approach, for each finding."""
    drawn = set(results.tables.roc["finding"])
    findings = [finding for finding in results.findings if finding in drawn]
    if not findings or not results.ranked:
        return None
    caption = _roc_caption(results)
    panels = {finding: _roc_panels(finding, results) for finding in findings}
    block: Block
    if len(results.approaches) == 1:
        titled = [panel for own in panels.values() for panel in own]
        block = Figure(_roc_figure(titled, name=f"roc-{results.kind}", about="each finding"), caption)
    else:
        block = Choices(
            tuple(
                Choice(title_of(finding), (_finding_roc(finding, own, results),), caption)
                for finding, own in panels.items()
            )
        )
    note = (Note("Scores of different models are never pooled."),) if results.splits > 1 else ()
    return Section("ROC curves", (block, *note))


def _roc_caption(results: Results) -> str:
    said = "Sensitivity against 1 − specificity, with the AUC above each panel."
    if results.splits > 1:
        said += (
            " Each curve is the mean of the splits’ curves at equal 1 − specificity; the band is ± SD over the splits."
        )
    if len(results.approaches) > 1:
        said += f" Grey: {results.ranked[0]}, which has the highest mean AUC."
    return said


def _finding_roc(finding: str, panels: Sequence[Panel], results: Results) -> Drawing:
    return _roc_figure(panels, name=f"roc-{results.kind}-{slug(finding)}", about=title_of(finding))


def _roc_figure(panels: Sequence[Panel], *, name: str, about: str) -> Drawing:
    listed = ", ".join(f"{panel.title} {panel.said}" for panel in panels)
    alt = f"ROC curves of {about}. {listed}."
    return panels_figure(panels, name, alt=alt, x_label="1 − specificity", y_label="Sensitivity")


def _roc_panels(finding: str, results: Results) -> list[Panel]:
    """One panel for each approach that has a curve."""
    own = results.tables.roc.filter(finding=finding)
    curves = {name: rows for name in results.approaches if (rows := own.filter(approach=name)).height}
    best = curves.get(results.ranked[0])
    return [
        Panel(
            title=title_of(finding) if len(results.approaches) == 1 else results.label(name),
            said=f"AUC {_auc(results, finding, name)}",
            approach=name,
            look=results.looks[name],
            x=rows["false_positive_rate"].to_numpy(),
            y=rows["sensitivity"].to_numpy(),
            band=_spread(rows["sensitivity"], rows["sd"]),
            reference=None
            if best is None or name == results.ranked[0]
            else (best["false_positive_rate"].to_numpy(), best["sensitivity"].to_numpy()),
        )
        for name, rows in curves.items()
    ]


def _auc(results: Results, finding: str, approach: str) -> str:
    """The AUC of one finding with its interval, or mean ± SD over the splits."""
    if results.has_intervals:
        return auc_said(results.auc.filter(finding=finding, approach=approach).row(0, named=True))
    row = results.summary.filter(finding=finding, approach=approach).row(0, named=True)
    return plus_minus(row["mean"], row["sd"])


def _spread(mean: pl.Series, sd: pl.Series) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean ± SD; None where nothing is repeated."""
    if sd.null_count() == sd.len():
        return None
    half = sd.fill_null(0.0).to_numpy()
    return mean.to_numpy() - half, mean.to_numpy() + half


def calibration_panels(finding: str, reliability: pl.DataFrame, results: Results) -> list[Panel]:
    """Share of images with the finding against its mean probability, in bins of equally many images.

    Args:
        finding: Name of the finding.
        reliability: Rows of ``reliability.parquet`` of this kind of split and way of calibration.
        results: Results on this kind of split.
    """
    own = reliability.filter(finding=finding)
    by_bin = own.group_by("approach", "bin").agg(
        pl.col("probability", "share").mean(), pl.col("share").std().alias("sd"), pl.col("images").mean()
    )
    top = min(1.0, 1.05 * max(0.05, float(by_bin.select("probability", "share").to_numpy().max(initial=0))))
    return [
        Panel(
            title=title_of(finding) if len(results.approaches) == 1 else results.label(name),
            said=_calibration_error(results, finding, name),
            approach=name,
            look=results.looks[name],
            x=rows["probability"].to_numpy(),
            y=rows["share"].to_numpy(),
            band=_wilson(rows) if results.runs == 1 else _spread(rows["share"], rows["sd"]),
            top=top,
            top_said=percent(top, digits=0),
        )
        for name in results.approaches
        if (rows := by_bin.filter(approach=name).sort("bin")).height
    ]


def calibration_figure(panels: Sequence[Panel], results: Results, *, name: str, about: str) -> Drawing:
    """Draw calibration curves, a panel each.

    Args:
        panels: Panels from ``calibration_panels``.
        results: Results on one kind of split.
        name: File name of the figure.
        about: Finding or findings that are shown.
    """
    how = "calibrated on validation images" if results.calibration == PLATT else "as given"
    alt = f"Calibration curves of {about}; on the diagonal, probabilities are right."
    return panels_figure(panels, name, alt=alt, x_label=f"Probability, {how}", y_label="Share of images with it")


def _calibration_error(results: Results, finding: str, approach: str) -> str:
    """The calibration error in words; empty where it was not measured."""
    own = results.tables.probability_summary.filter(
        finding=finding, approach=approach, calibration=results.calibration, measure="calibration_error"
    )
    return f"calibration error {decimal(own['value'][0])}" if own.height else ""


def _wilson(rows: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's intervals of shares, as if images were independent."""
    share, n = rows["share"].to_numpy(), rows["images"].to_numpy()
    centre = (share + NORMAL**2 / (2 * n)) / (1 + NORMAL**2 / n)
    half = NORMAL / (1 + NORMAL**2 / n) * np.sqrt(share * (1 - share) / n + NORMAL**2 / (4 * n**2))
    return centre - half, centre + half


def decision_figure(finding: str, benefit: pl.DataFrame, results: Results) -> Drawing:
    """Draw net benefit in true positives per 100 images against the probability at which one acts.

    Args:
        finding: Name of the finding.
        benefit: Rows of ``net_benefit.parquet`` of this kind of split and way of calibration.
        results: Results on this kind of split.
    """
    own = benefit.filter(finding=finding)
    top = 100 * float(own["value"].to_numpy().max(initial=1e-4))
    curves = {name: rows for name in results.approaches if (rows := own.filter(approach=name).sort("threshold")).height}
    on_all = own.group_by("threshold").agg(pl.col("act_on_all").mean()).sort("threshold")
    with sheet(WIDTH, HEIGHT, Margins(left=64, right=26, top=28)) as figure:
        axes = figure.subplots()
        axes.axhline(0, color=FAINT, linewidth=0.8)
        axes.plot(on_all["threshold"], 100 * on_all["act_on_all"], color=FAINT, linewidth=1, linestyle=(0, (1, 2)))
        if (best := curves.get(results.ranked[0])) is not None:
            low, high = (100 * best.drop_nulls("lower")[end].to_numpy() for end in ("lower", "upper"))
            colour = results.looks[results.ranked[0]].colour
            axes.fill_between(best.drop_nulls("lower")["threshold"], low, high, color=colour, alpha=0.15, linewidth=0)
        for name, rows in curves.items():
            look = results.looks[name]
            axes.plot(rows["threshold"], 100 * rows["value"], color=look.colour, linestyle=look.line, gid=slug(name))
        axes.set(
            xscale="log", xlim=(0.005, 0.5), ylim=(-0.08 * top, 1.1 * top), title=f"{title_of(finding)}: decision curve"
        )
        axes.set_xticks(*TICKS)
        axes.minorticks_off()
        axes.set(xlabel="Act at a probability of … or more", ylabel="Net benefit, true positives per 100 images")
        alt = f"Decision curves of {title_of(finding)} by approach; dotted: acting on everybody, zero: on nobody."
        marks = {slug(name): Mark(f"{name}: decision curve", name) for name in curves}
        return drawing(figure, f"decision-{results.kind}-{slug(finding)}", alt=alt, marks=marks)
