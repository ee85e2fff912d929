"""Age, sex and view position: alone, beside the film, and read from the film."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from cxrbench.evaluate.columns import MEAN
from cxrbench.evaluate.explanations import ALONE, BOTH, IMAGE, NONIMAGE_FILE, PROBES_FILE
from cxrbench.report.blocks import Block, Choice, Choices, Note, Section, Shown
from cxrbench.report.differences import difference
from cxrbench.report.drawing import FAMILY_COLOURS, META, Drawing
from cxrbench.report.estimates import (
    Axis,
    Estimate,
    Series,
    described_spread,
    estimate_cell,
    estimate_of,
    estimates_figure,
    ordered_approaches,
    rows_of_kind,
    spread_caption,
)
from cxrbench.report.forest import Difference, forest_figure
from cxrbench.report.selection import Results
from cxrbench.report.study import Analysis
from cxrbench.report.table import Cell, Row, Table
from cxrbench.report.words import NOTHING, decimal, difference_interval, mean_count, signed, slug, title_of

GAIN_AXIS = "Difference in AUC; to the right age, sex and view help"

AUC_AXIS = Axis("AUC on test films", chance=0.5, digits=3)

INPUT_LOOKS = {ALONE: ("s", FAMILY_COLOURS[4]), IMAGE: ("o", FAMILY_COLOURS[0]), BOTH: ("D", FAMILY_COLOURS[1])}
"""Marker and colour per kind of input."""

INPUT_TITLES = {ALONE: "age, sex and view", IMAGE: "film", BOTH: "both"}

TARGETS = {"sex": "Sex, AUC", "view": "View position, AUC", "age": "Age, mean absolute error in years"}

GAIN_SAID = " Both − film: bold where the 95 % interval excludes zero and the adjusted p-value is below 0.05."

DIGITS = {"sex": 3, "view": 3, "age": 1}


def nonimage_section(results: Results, analysis: Analysis) -> Section | None:
    """Models with and without the film on one kind of split; None where none was asked."""
    table, probes = (rows_of_kind(analysis.tables[file], results) for file in (NONIMAGE_FILE, PROBES_FILE))
    twins = set(table.filter(given=BOTH)["model"])
    approaches = ordered_approaches(results, table.filter(given=IMAGE)["model"])
    approaches.sort(key=lambda name: f"{name}{META}" not in twins)  # first what has both
    if not approaches:
        return None
    gains = {name: _gains(results, table, name) for name in approaches}
    blocks: list[Block] = [Choices(tuple(_inputs(results, table, name) for name in approaches), of="Approach")]
    blocks += _differences(results, gains)
    for place, name in enumerate(approaches):
        how = described_spread(table.filter(given=IMAGE, model=name))
        about = f"AUC of age, sex and view alone, of the film ({name}) and of both: {how}."
        shown = input_table(table, name, gains[name], name=f"inputs-{results.kind}-{slug(name)}", about=about)
        blocks.append(Shown(shown, unfold=f"The same of {name}" if place else "In numbers"))
    if probes.height:
        names = ordered_approaches(results, probes["approach"])
        how = described_spread(probes.filter(approach=names[0]))
        about = f"How well sex, view and age can be read from the film: {how}."
        blocks.append(Shown(probe_table(probes, names, name=f"probes-{results.kind}", about=about)))
    return Section(results.title, tuple(blocks))


def _inputs(results: Results, table: pl.DataFrame, approach: str) -> Choice:
    """Forest plot of an approach between what it was not described_spread and its twin that was."""
    reader = _best_reader(table)
    chosen = {ALONE: reader, IMAGE: approach}
    if f"{approach}{META}" in set(table.filter(given=BOTH)["model"]):
        chosen[BOTH] = f"{approach}{META}"
    caption = (
        f"{approach}. AUC of age, sex and view alone ({reader}, the best of the models without the film), of "
        f"the film alone, and of both. {spread_caption(table.filter(given=IMAGE, model=approach))}"
    )
    return Choice(approach, (input_figure(table, chosen, f"inputs-{results.kind}-{slug(approach)}"),), caption)


def _best_reader(table: pl.DataFrame) -> str:
    """The model without the film that has the highest mean AUC."""
    means = table.filter(given=ALONE, finding=MEAN).group_by("model", maintain_order=True).agg(pl.col("auc").mean())
    return str(means.sort("auc", descending=True, nulls_last=True, maintain_order=True)["model"][0])


def _gains(results: Results, table: pl.DataFrame, approach: str) -> dict[str, Difference]:
    """The -meta twin minus its approach, by finding, as everywhere in the report."""
    found = {
        finding: difference(
            results.tables.comparison.filter(finding=finding), f"{approach}{META}", approach, label=title_of(finding)
        )
        for finding in table["finding"].unique(maintain_order=True)
    }
    return {finding: gain for finding, gain in found.items() if gain is not None and gain.value is not None}


def _differences(results: Results, gains: dict[str, dict[str, Difference]]) -> Iterator[Block]:
    """Forest plots of what age, sex and view add to the film."""
    choices = tuple(
        Choice(
            name,
            (
                forest_figure(
                    list(of.values()),
                    f"added-{results.kind}-{slug(name)}",
                    axis=GAIN_AXIS,
                    seen=results.seen_approaches,
                ),
            ),
            f"{name}{META} minus {name}: what age, sex and view add to the film. Filled: the 95 % interval excludes "
            "zero, and the p-value that allows for all comparisons is below 0.05. Grey band: within ± 0.01.",
        )
        for name, of in gains.items()
        if of
    )
    if choices:
        yield Choices(choices, of="Approach")
        if results.question:
            yield Note(f"The intervals of the differences answer for: {results.question}.")


def _gain_figure(results: Results, approach: str, gains: Sequence[Difference]) -> Drawing:
    name = f"added-{results.kind}-{slug(approach)}"
    return forest_figure(gains, name, axis=GAIN_AXIS, seen=results.seen_approaches)


def input_figure(table: pl.DataFrame, chosen: Mapping[str, str], name: str) -> Drawing:
    """Forest plot of one model per kind of input.

    Args:
        table: Rows of ``nonimage.csv``.
        chosen: Model by what it was given.
        name: File name of the figure.
    """
    findings = {finding: title_of(finding) for finding in table["finding"].unique(maintain_order=True)}
    series = [
        Series(
            f"{INPUT_TITLES[given]}: {chosen[given]}",
            colour,
            marker,
            _aucs(table.filter(given=given, model=chosen[given])),
        )
        for given, (marker, colour) in INPUT_LOOKS.items()
        if given in chosen
    ]
    return estimates_figure(findings, series, name, axis=AUC_AXIS)


def _aucs(rows: pl.DataFrame) -> dict[str, Estimate]:
    """By finding; without those that could not be measured."""
    found = {finding: estimate_of(own, "auc") for (finding,), own in rows.group_by("finding", maintain_order=True)}
    return {str(finding): estimate for finding, estimate in found.items() if estimate}


def input_table(table: pl.DataFrame, approach: str, gains: Mapping[str, Difference], *, name: str, about: str) -> Table:
    """AUC per finding of every model without the film, of an approach, and of its -meta twin.

    Args:
        table: Rows of ``nonimage.csv`` on one kind of split.
        approach: Approach without non-image features.
        gains: The twin minus the approach, by finding; empty where there is no twin.
        name: File name of the table.
        about: Caption.
    """
    readers = table.filter(given=ALONE)["model"].unique(maintain_order=True).to_list()
    twin = table.filter(given=BOTH, model=f"{approach}-meta")["model"].unique().to_list()
    models = [*((ALONE, reader) for reader in readers), (IMAGE, approach), *((BOTH, model) for model in twin)]

    def row(finding: str) -> Row:
        own = table.filter(finding=finding)
        positives = own.filter(given=ALONE, model=readers[0])["positives"].drop_nulls().to_list()
        aucs = (estimate_cell(estimate_of(own.filter(given=g, model=m), "auc"), digits=3, of=(m,)) for g, m in models)
        gain = (_gain_cell(gains.get(finding)),) if gains else ()
        return Row(
            title_of(finding),
            (Cell(mean_count(positives) if positives else ""), *aucs, *gain),
            is_summary=finding == MEAN,
        )

    return Table(
        name=name,
        caption=about,
        columns=("Finding", "Positives", *(model for _, model in models), *(("Both − film",) if gains else ())),
        rows=tuple(map(row, table["finding"].unique(maintain_order=True))),
        note="The first models learnt from age, sex and view of the training part alone and never saw a film. "
        "Positives: test images with the finding." + (GAIN_SAID if gains else ""),
    )


def _gain_cell(gain: Difference | None) -> Cell:
    if gain is None or gain.value is None:
        return Cell(NOTHING)
    detail = "" if gain.lower is None else difference_interval(gain.lower, gain.upper)
    return Cell(signed(gain.value), detail, is_best=gain.is_clear, of=gain.of)


def probe_table(probes: pl.DataFrame, approaches: Sequence[str], *, name: str, about: str) -> Table:
    """Tabulate how well sex, view and age can be read from the film.

    Args:
        probes: Rows of ``probes.csv`` on one kind of split.
        approaches: Approaches, in order.
        name: File name of the table.
        about: Caption.
    """
    rows = [
        _probe_row(approach, target, probes.filter(approach=approach, target=target))
        for approach in approaches
        for target in TARGETS
    ]
    return Table(
        name=name,
        caption=about,
        columns=("Features of, what is read", "Learnt from", "Test films", "From the film", "Without it", "Gain"),
        rows=tuple(rows),
        note="Ridge regression on the pooled features of networks that were not told. Without it: an AUC of 0.5, and "
        "the error of always saying the training mean. Gain: AUC above the one, years of error below the other. A "
        "linear probe is a lower bound: a network trained for the purpose reads more. Bold: the interval is above 0.",
    )


def _probe_row(approach: str, target: str, rows: pl.DataFrame) -> Row:
    digits = DIGITS[target]
    reasons = [reason for reason in rows["reason"] if reason]
    found = estimate_of(rows)
    if found is None:
        empty: tuple[Any, ...] = (Cell(NOTHING),) * 2
        why = Cell(NOTHING, reason=reasons[0] if reasons else "")
        return Row(f"{approach}: {TARGETS[target]}", (*_counts(rows), why, *empty))
    untold = Cell(decimal(float(rows["untold"].drop_nulls().to_numpy().mean()), digits))
    of = (approach,)
    gain = estimate_cell(estimate_of(rows, "gain", prefix="gain_"), digits=digits, is_difference=True, of=of)
    value = estimate_cell(found, digits=digits, of=of)
    return Row(f"{approach}: {TARGETS[target]}", (*_counts(rows), value, untold, gain))


def _counts(rows: pl.DataFrame) -> tuple[Cell, Cell]:
    learnt, tested = (Cell(mean_count(rows[column].to_list())) for column in ("learnt_from", "images"))
    return learnt, tested
