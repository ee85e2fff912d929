"""What age, sex and view contribute: alone, beside the film, and read from it."""

from collections.abc import Iterator

import polars as pl

from cxrbench.evaluate.asked import ALONE, BOTH, IMAGE, NONIMAGE_FILE, PROBES_FILE
from cxrbench.evaluate.discrimination import MEAN
from cxrbench.report.asked import Asked
from cxrbench.report.blocks import Block, Choice, Choices, Note, Section, Shown
from cxrbench.report.differences import Difference, difference
from cxrbench.report.figures.forest import forest_figure
from cxrbench.report.figures.inputs import input_figure
from cxrbench.report.palette import META
from cxrbench.report.results import Results
from cxrbench.report.runs_asked import in_order, of_kind, spread_said, told
from cxrbench.report.tables.nonimage import input_table, probe_table
from cxrbench.report.words import slug, title_of

AXIS = "Difference in AUC; to the right age, sex and view help"


def nonimage_section(results: Results, asked: Asked) -> Section | None:
    """Models with and without the film on one kind of split; None where none was asked."""
    table, probes = (of_kind(asked.tables[file], results) for file in (NONIMAGE_FILE, PROBES_FILE))
    twins = set(table.filter(given=BOTH)["model"])
    approaches = in_order(results, table.filter(given=IMAGE)["model"])
    approaches.sort(key=lambda name: f"{name}{META}" not in twins)  # first what has both
    if not approaches:
        return None
    gains = {name: _gains(results, table, name) for name in approaches}
    blocks: list[Block] = [Choices(tuple(_inputs(results, table, name) for name in approaches), of="Approach")]
    blocks += _differences(results, gains)
    for place, name in enumerate(approaches):
        how = told(table.filter(given=IMAGE, model=name))
        about = f"AUC of age, sex and view alone, of the film ({name}) and of both: {how}."
        shown = input_table(table, name, gains[name], name=f"inputs-{results.kind}-{slug(name)}", about=about)
        blocks.append(Shown(shown, unfold=f"The same of {name}" if place else "In numbers"))
    if probes.height:
        names = in_order(results, probes["approach"])
        how = told(probes.filter(approach=names[0]))
        about = f"How well sex, view and age can be read from the film: {how}."
        blocks.append(Shown(probe_table(probes, names, name=f"probes-{results.kind}", about=about)))
    return Section(results.title, tuple(blocks))


def _inputs(results: Results, table: pl.DataFrame, approach: str) -> Choice:
    """Forest plot of an approach between what it was not told and its twin that was."""
    reader = _best_reader(table)
    chosen = {ALONE: reader, IMAGE: approach}
    if f"{approach}{META}" in set(table.filter(given=BOTH)["model"]):
        chosen[BOTH] = f"{approach}{META}"
    caption = (
        f"{approach}. AUC of age, sex and view alone ({reader}, the one of three models with the highest mean), of "
        f"the film alone, and of both. {spread_said(table.filter(given=IMAGE, model=approach))}"
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
            (forest_figure(list(of.values()), f"added-{results.kind}-{slug(name)}", axis=AXIS),),
            f"{name}{META} minus {name}: what age, sex and view add to the film. Filled: the 95 % interval excludes "
            "zero, and the p-value that allows for all comparisons is below 0.05. Grey band: practically nil.",
        )
        for name, of in gains.items()
        if of
    )
    if choices:
        yield Choices(choices, of="Approach")
        if results.question:
            yield Note(f"The intervals of the differences answer for: {results.question}.")
