"""AUCs: every approach's mean in one figure, the table by finding, and their intervals."""

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl
from matplotlib.axes import Axes

from cxrbench.evaluate.columns import MEAN
from cxrbench.report.blocks import Block, Figure, Section, Shown
from cxrbench.report.drawing import FAINT, INK, PAPER, Drawing, Look, Margins, Mark, drawing, room_for, sheet
from cxrbench.report.estimates import ONE_RUN, SEVERAL_RUNS, Axis, Series, estimate_of, estimates_figure
from cxrbench.report.selection import IS_MEAN, Results, legend
from cxrbench.report.table import Cell, Row, Table, cells
from cxrbench.report.words import NOTHING, auc_said, count, decimal, mean_count, number, plus_minus, slug, title_of
from cxrbench.stats.clustered import MIN_PATIENTS

SEVERAL = "A dot for each split, a bar at their mean. The spread of the dots is not an interval."

ONE = (
    "Lines are 95 % intervals for new patients, drawn where every finding has enough patients. Overlapping intervals "
    "do not mean that two approaches are alike: their difference has an interval of its own."
)

MEAN_ROW, MARGIN, WIDTH = 30.0, 62.0, 940.0

LINE, GAP = 13.0, 16.0

MOST = 4
"""Approaches that are drawn by finding, best first: more cannot be told apart."""

FINDING_AXIS = Axis("AUC", chance=0.5, digits=3)


def overview_figure(results: Results) -> Figure:
    """Show the study in one figure: the mean AUC of every approach, or of a single one the AUC by finding."""
    if len(results.approaches) == 1:
        return Figure(_single_figure(results), f"AUC per finding. {ONE_RUN if results.runs == 1 else SEVERAL_RUNS}")
    caption = f"Mean AUC over the pathologies. {ONE if results.has_intervals else SEVERAL}"
    if results.has_intervals and results.seeds > 1:
        caption += f" Means over up to {results.seeds} seeds: these models, on new patients."
    if any(look.is_dashed for look in results.looks.values()):
        caption += " Hollow dots: without age, sex and view."
    return Figure(mean_auc_figure(results), caption)


def discrimination_section(results: Results) -> Section:
    """Tabulate how well the approaches tell images with a finding from images without it."""
    return Section("AUC per finding", (Shown(auc_table(results)), *_certainty(results)))


def _certainty(results: Results) -> tuple[Block, ...]:
    """Show how sure each AUC is, where it is of one model."""
    table = certainty_table(results)
    if table is None:
        return ()
    shown = Shown(table, unfold=f"How sure the AUCs of {results.ranked[0]} are")
    if len(results.approaches) == 1:
        return (shown,)
    caption = "AUC per finding with its 95 % interval for new patients. No line: too few patients for an interval."
    if len(results.ranked) > MOST:
        caption += f" The {number(MOST)} best approaches."
    return (*legend(results), Figure(auc_figure(results), caption), shown)


def _single_figure(results: Results) -> Drawing:
    """Draw the AUC of each finding by the only approach: its interval, or a dot per run."""
    name = results.approaches[0]
    rows = {finding: title_of(finding) for finding in (*results.findings, MEAN)}
    estimates = {finding: estimate_of(results.auc.filter(finding=finding), "auc") for finding in rows}
    found = {finding: estimate for finding, estimate in estimates.items() if estimate}
    series = Series(name, results.looks[name].colour, "o", found)
    return estimates_figure(rows, [series], f"auc-{results.kind}", axis=FINDING_AXIS)


def mean_auc_figure(results: Results) -> Drawing:
    """Draw a row for each approach, the best first: its interval, or a dot per split and a bar at their mean."""
    runs = results.auc.filter(IS_MEAN)
    means = {row["approach"]: row for row in results.summary.filter(IS_MEAN).iter_rows(named=True)}
    marks: dict[str, Mark] = {}
    looks = {name: results.looks[name] for name in dict.fromkeys((*results.ranked, *results.looks))}
    margins = Margins(left=room_for(map(results.label, looks)), right=175 if results.has_intervals else 110)
    with sheet(WIDTH, MARGIN + MEAN_ROW * len(looks), margins) as figure:
        axes = figure.subplots()
        for place, (name, look) in enumerate(looks.items()):
            own = runs.filter(pl.col("approach") == name)
            draw = _draw_interval if results.has_intervals else _draw_splits
            marks |= dict(draw(axes, place, own, look))
            said = (
                auc_said(own.row(0, named=True))
                if results.has_intervals
                else plus_minus(means[name]["mean"], means[name]["sd"])
            )
            axes.annotate(said, (1.01, place), xycoords=("axes fraction", "data"), va="center")
        axes.set_yticks(range(len(looks)), [results.label(name) for name in looks])
        axes.set(ylim=(len(looks) - 0.5, -0.5), xlabel="Mean AUC over the pathologies")
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        listed = ", ".join(f"{name} {plus_minus(row['mean'], row['sd'])}" for name, row in means.items())
        alt = f"Mean AUC over the pathologies per approach. {listed}."
        return drawing(figure, f"mean-auc-{results.kind}", alt=alt, marks=marks)


def _draw_interval(axes: Axes, place: int, runs: pl.DataFrame, look: Look) -> Iterator[tuple[str, Mark]]:
    """One model with its interval."""
    row = runs.row(0, named=True)
    if row["auc"] is None:
        return
    if row["lower"] is not None:
        axes.plot([row["lower"], row["upper"]], [place, place], color=look.colour, linewidth=2)
    gid = slug(row["approach"])
    filled = PAPER if look.is_dashed else look.colour
    axes.plot([row["auc"]], [place], "o", markersize=7, color=look.colour, markerfacecolor=filled, gid=gid)
    yield gid, Mark(f"{row['approach']}: {auc_said(row)}", row["approach"])


def _draw_splits(axes: Axes, place: int, runs: pl.DataFrame, look: Look) -> Iterator[tuple[str, Mark]]:
    """A dot per split, and the bar at their mean."""
    by_split = runs.group_by("split").agg(pl.col("auc").mean(), pl.col("approach").first()).drop_nulls().sort("split")
    for split, value, name in by_split.iter_rows():
        gid = slug(f"{name} {split}")
        filled = "none" if look.is_dashed else look.colour
        axes.plot([value], [place], "o", markersize=7, color=look.colour, markerfacecolor=filled, gid=gid)
        yield gid, Mark(f"{name}, {split}: {decimal(value)}", name)
    if by_split.height:
        mean = float(by_split["auc"].to_numpy().mean())
        axes.plot([mean, mean], [place - 0.36, place + 0.36], color=INK, linewidth=2)


def auc_table(results: Results) -> Table:
    """Tabulate findings by approaches; then the mean, and apart what does not count in it."""
    pathologies = results.vocabulary.pathologies
    apart = [MEAN, *(name for name in results.findings if name not in pathologies)]
    if results.has_intervals:
        described = "with 95 % intervals for new patients"
    else:
        described = f"mean ± SD over {results.splits} splits" if results.splits > 1 else "one split"
    by = "finding and approach" if len(results.approaches) > 1 else "finding"
    return Table(
        name=f"auc-{results.kind}",
        caption=f"AUC per {by}. {results.title}, {described}.",
        columns=("Finding", "Positives", *results.approaches),
        rows=tuple(_auc_row(results, name, is_apart=name in apart) for name in (*pathologies, *apart)),
        note=_note(results, len(pathologies)),
    )


def _auc_row(results: Results, finding: str, *, is_apart: bool) -> Row:
    is_own = pl.col("finding") == finding
    own = {row["approach"]: row for row in results.summary.filter(is_own).iter_rows(named=True)}
    runs = results.auc.filter(is_own)
    best = None
    if len(results.approaches) > 1 and _has_enough_patients(runs, finding):
        best = max((row["mean"] for row in own.values() if row["mean"] is not None), default=None)
    cells = [
        _auc_cell(own[name], best, runs.filter(pl.col("approach") == name), has_interval=results.has_intervals)
        for name in results.approaches
    ]
    return Row(title_of(finding), (Cell(_positives(runs)), *cells), is_summary=is_apart)


def _has_enough_patients(runs: pl.DataFrame, finding: str) -> bool:
    """Say if a best value may be bold: each split has as many positive patients as an interval needs."""
    least = runs["positive_patients"].min()
    return finding == MEAN or (isinstance(least, int) and least >= MIN_PATIENTS)


def _auc_cell(row: Mapping[str, Any], best: float | None, runs: pl.DataFrame, *, has_interval: bool) -> Cell:
    """An AUC, or why there is none."""
    if row["mean"] is None:
        reasons = runs["reason"].drop_nulls().unique().sort()
        return Cell(NOTHING, reason=", ".join(reasons))
    detail = "" if row["sd"] is None else f"± {decimal(row['sd'])}"
    if has_interval and (lower := runs["lower"][0]) is not None:
        detail = f"{decimal(lower)}–{decimal(runs['upper'][0])}"
    # What prints alike is alike: the best is marked at the printed precision.
    is_best = best is not None and decimal(row["mean"]) == decimal(best)
    return Cell(decimal(row["mean"]), detail, is_best=is_best, of=(row["approach"],))


def _positives(runs: pl.DataFrame) -> str:
    """Mean number of positive test images over the splits."""
    positives = runs.unique("split")["positives"].drop_nulls().to_numpy()
    return mean_count(positives.tolist()) if positives.size else ""


def _note(results: Results, pathologies: int) -> str:
    """Explain positives and bold, and say what the mean leaves out."""
    counted = results.auc.filter(pl.col("finding") == MEAN)["findings_counted"]
    several = ", mean over the splits" if results.splits > 1 else ""
    said = f"Positives: test images with the finding{several}."
    if len(results.approaches) > 1:
        said += (
            f" Bold: the highest of a row, not a proven lead; none where a test part has fewer than {MIN_PATIENTS} "
            "patients with the finding."
        )
    least = int(counted.to_numpy().min(initial=pathologies))
    if least < pathologies:
        said += (
            f" In at least one split the mean is over {least} of {pathologies} pathologies; the others lack a class."
        )
    return said


def auc_figure(results: Results) -> Drawing:
    """One row per finding, in it a line per approach; without a line where there is no interval."""
    findings, approaches = (*results.findings, MEAN), results.ranked[:MOST]
    own = {(row["finding"], row["approach"]): row for row in results.auc.drop_nulls("auc").iter_rows(named=True)}
    row_height = GAP + LINE * len(approaches)
    marks: dict[str, Mark] = {}
    with sheet(WIDTH, MARGIN + row_height * len(findings), Margins(left=room_for(map(title_of, findings)))) as figure:
        axes = figure.subplots()
        axes.axvline(0.5, color=FAINT, linewidth=0.8)
        for row, finding in enumerate(findings):
            for step, name in enumerate(approaches):
                if measured := own.get((finding, name)):
                    look, gid = results.looks[name], slug(f"{finding} {name}")
                    height = row + LINE * (step - (len(approaches) - 1) / 2) / row_height
                    if measured["lower"] is not None:
                        ends = [measured["lower"], measured["upper"]]
                        axes.plot(ends, [height, height], color=look.colour, linewidth=2)
                    filled = PAPER if look.is_dashed else look.colour
                    axes.plot([measured["auc"]], [height], "o", color=look.colour, markerfacecolor=filled, gid=gid)
                    marks[gid] = Mark(f"{name}, {title_of(finding)}: {auc_said(measured)}", name)
        axes.set_yticks(range(len(findings)), list(map(title_of, findings)))
        axes.set(ylim=(len(findings) - 0.5, -0.5), xlabel="AUC, with its 95 % interval for new patients")
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        best = results.auc.filter(pl.col("approach") == approaches[0]).drop_nulls("auc")
        listed = "; ".join(f"{title_of(row['finding'])} {auc_said(row)}" for row in best.iter_rows(named=True))
        return drawing(figure, f"auc-{results.kind}", alt=f"AUC per finding of {approaches[0]}: {listed}.", marks=marks)


def certainty_table(results: Results) -> Table | None:
    """AUC, interval, positives, positive patients and inflation; None where an AUC is not of one model."""
    if not (results.has_intervals and results.ranked):
        return None
    best = results.ranked[0]
    rows = results.auc.filter(pl.col("approach") == best)
    return Table(
        name=f"certainty-{results.kind}",
        caption=f"AUCs of {best} with 95 % intervals for new patients. {results.title}.",
        columns=("Finding", "Images", "Positives", "Positive patients", "AUC", "95 % interval", "Inflation"),
        rows=tuple(map(_certainty_row, rows.iter_rows(named=True))),
        note="Intervals are clustered by patient. Inflation: variance of the AUC, divided by the one that takes the "
        "images of a patient as independent.",
    )


def _certainty_row(row: Mapping[str, Any]) -> Row:
    has_interval = row["lower"] is not None
    interval = f"{decimal(row['lower'])} to {decimal(row['upper'])}" if has_interval else NOTHING
    numbers = (
        count(row["images"]),
        "" if row["positives"] is None else count(row["positives"]),
        "" if row["positive_patients"] is None else count(row["positive_patients"]),
    )
    of = (row["approach"],)
    certain = (
        Cell(decimal(row["auc"]), of=of),
        Cell(interval, reason="" if has_interval else str(row["reason"]), of=of),
        Cell(decimal(row["inflation"], 2)),
    )
    return Row(title_of(row["finding"]), (*cells(numbers), *certain), is_summary=row["finding"] == MEAN)
