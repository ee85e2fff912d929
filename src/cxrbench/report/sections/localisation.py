"""What the networks look at: their heat maps against known boxes."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from cxrbench.evaluate.asked import (
    ALL,
    CENTRE,
    ENERGY,
    FIGURES_FOLDER,
    LOCALISATION_FILE,
    POINTING,
    RANDOM,
    SANITY_FILE,
    sheet_file,
)
from cxrbench.report.asked import Asked
from cxrbench.report.blocks import Block, Choice, Choices, Photograph, Section, Shown
from cxrbench.report.estimates import estimate_of
from cxrbench.report.figures.estimates import Axis, Series, estimates_figure
from cxrbench.report.palette import FAINT, FAMILY_COLOURS
from cxrbench.report.photographs import as_address
from cxrbench.report.results import Results
from cxrbench.report.runs_asked import in_order, of_kind, spread_said, told
from cxrbench.report.tables.localisation import (
    findings_of,
    level_table,
    measure_table,
    methods_of,
    sanity_table,
)
from cxrbench.report.tables.table import Table
from cxrbench.report.words import slug
from cxrbench.runs import RunName

AXIS = Axis("Share of films whose map has its maximum in a box", limits=(-0.02, 1.02))
IGNORANT = {CENTRE: "s", RANDOM: "D"}
"""Marks of the maps that know nothing."""
POINTING_SAID = (
    "Pointing game: on how many of the run’s own test films with a box of the finding the map has its maximum in the "
    "box, no tolerance around it. Hollow: two maps that know nothing, highest at the middle of the film, and random. "
)


def localisation_section(results: Results, asked: Asked) -> Section | None:
    """Maps of the runs on one kind of split; None where none was asked."""
    scores, sanity = (of_kind(asked.tables[file], results) for file in (LOCALISATION_FILE, SANITY_FILE))
    approaches = in_order(results, scores["approach"])
    if not approaches:
        return None
    blocks: list[Block] = [Choices(tuple(_pointing(results, scores, name) for name in approaches), of="Approach")]
    for place, name in enumerate(approaches):
        table = _table(results, scores, name, POINTING, f"Pointing game of {name}")
        blocks.append(Shown(table, unfold=f"The same of {name}" if place else ""))
    blocks += _overlap(results, scores, approaches[0])
    if sanity.height:
        blocks.append(Shown(sanity_table(sanity, approaches, f"sanity-{results.kind}")))
    return Section(results.title, (*blocks, *_sheet(asked.folder, scores.filter(approach=approaches[0]))))


def _pointing(results: Results, scores: pl.DataFrame, approach: str) -> Choice:
    """Forest plot of the pointing game of one approach."""
    rows = scores.filter(approach=approach, measure=POINTING)
    findings = findings_of(rows)
    colours = iter(FAMILY_COLOURS)
    series = [
        Series(
            label=method,
            colour=FAINT if method in IGNORANT else next(colours),
            marker=IGNORANT.get(method, "o"),
            estimates={
                finding: found
                for finding in findings
                if (found := estimate_of(rows.filter(method=method, finding=finding)))
            },
            is_hollow=method in IGNORANT,
        )
        for method in methods_of(rows)
    ]
    drawn = estimates_figure(findings, series, f"pointing-{results.kind}-{slug(approach)}", axis=AXIS)
    return Choice(approach, (drawn,), f"{approach}. {POINTING_SAID}{spread_said(rows)}")


def _table(results: Results, scores: pl.DataFrame, approach: str, measure: str, about: str) -> Table:
    rows = scores.filter(approach=approach, measure=measure)
    return measure_table(rows, f"{measure}-{results.kind}-{slug(approach)}", about=f"{about}: {told(rows)}.")


def _overlap(results: Results, scores: pl.DataFrame, approach: str) -> Iterator[Block]:
    """What else was measured of the best approach; the tables of the folder have it of all."""
    energy = _table(results, scores, approach, ENERGY, f"Share of {approach}’s evidence that lies in the boxes")
    yield Shown(energy, unfold=f"Energy: how much of {approach}’s maps lies in the boxes")
    about = f"Overlap (IoU) of {approach}’s marked regions with the boxes, all findings together."
    levels = level_table(scores.filter(approach=approach), f"overlap-{results.kind}-{slug(approach)}", about=about)
    yield Shown(levels, unfold=f"Overlap of {approach}’s maps with the boxes at three levels of the map")


def _sheet(folder: Path, scores: pl.DataFrame) -> Iterator[Block]:
    """The contact sheet of the first run, under the method that points best."""
    first = scores.filter(finding=ALL, measure=POINTING).row(0, named=True)
    run = RunName(first["approach"], first["split"], first["seed"])
    own = scores.filter(~pl.col("method").is_in(list(IGNORANT)), finding=ALL, measure=POINTING, split=run.split)
    method = own.filter(seed=run.seed).sort("estimate", descending=True, maintain_order=True)["method"][0]
    path = folder / FIGURES_FOLDER / sheet_file(run, method)
    if not path.is_file():
        return
    yield Photograph(
        address=as_address(path),
        alt=f"Test films under the {method} maps of {run}, known boxes drawn.",
        caption=f"{run}, {method}: a row per finding, at most five films evenly over the order of its probability "
        "(written above each film, not calibrated), so that failures show. Boxes are the truth; the positive part of "
        "a map is divided by its own maximum, so colours of two films do not compare. These are films of the archive: "
        f"who gets this page gets them. The other sheets are in {folder.name}/{FIGURES_FOLDER}.",
        unfold=f"Films of {run} under {method}",
    )
