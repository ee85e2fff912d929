"""Heat maps against known boxes: pointing game, overlap, sanity check, contact sheet."""

import base64
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
from PIL import Image

from cxrbench.evaluate.explanations import (
    ALL,
    CENTRE,
    ENERGY,
    FIGURES_FOLDER,
    IOU,
    IOU_OVER,
    LOCALISATION_FILE,
    POINTING,
    RANDOM,
    SANITY_FILE,
    sheet_file,
)
from cxrbench.report.blocks import Block, Choice, Choices, Photograph, Section, Shown
from cxrbench.report.drawing import FAINT, FAMILY_COLOURS
from cxrbench.report.estimates import (
    Axis,
    Series,
    described_spread,
    estimate_cell,
    estimate_of,
    estimates_figure,
    ordered_approaches,
    rows_of_kind,
    spread_caption,
)
from cxrbench.report.selection import Results
from cxrbench.report.study import Analysis
from cxrbench.report.table import Cell, Row, Table
from cxrbench.report.words import mean_count, percent, slug, title_of
from cxrbench.runs import RunName

AXIS = Axis("Share of films whose map has its maximum in a box", limits=(-0.02, 1.02))

IGNORANT = {CENTRE: "s", RANDOM: "D"}
"""Marks of the maps that know nothing."""

POINTING_SAID = (
    "Pointing game: share of the run’s own test films with a box of the finding on which the maximum of the map lies "
    "in the box, without tolerance. Hollow: two maps that know nothing, one highest at the centre of the film, one "
    "random. "
)

DIGITS = 2
"""Tens to hundreds of films allow no more."""

EVERY_FINDING = "All findings"

OVER_CENTRE = "over_centre"

PHOTOGRAPH_WIDTH = 1000
"""Pixels; that of the page."""

QUALITY = 72


def localisation_section(results: Results, analysis: Analysis) -> Section | None:
    """Maps of the runs on one kind of split; None where none was asked."""
    scores, sanity = (rows_of_kind(analysis.tables[file], results) for file in (LOCALISATION_FILE, SANITY_FILE))
    approaches = ordered_approaches(results, scores["approach"])
    if not approaches:
        return None
    blocks: list[Block] = [Choices(tuple(_pointing(results, scores, name) for name in approaches), of="Approach")]
    for place, name in enumerate(approaches):
        table = _measure_table(results, scores, name, POINTING, f"Pointing game of {name}")
        blocks.append(Shown(table, unfold=f"The same of {name}" if place else ""))
    blocks += _overlap(results, scores, approaches[0])
    if sanity.height:
        blocks.append(Shown(sanity_table(sanity, approaches, f"sanity-{results.kind}")))
    return Section(results.title, (*blocks, *_sheet(analysis.folder, scores.filter(approach=approaches[0]))))


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
    return Choice(approach, (drawn,), f"{approach}. {POINTING_SAID}{spread_caption(rows)}")


def _measure_table(results: Results, scores: pl.DataFrame, approach: str, measure: str, about: str) -> Table:
    rows = scores.filter(approach=approach, measure=measure)
    return measure_table(
        rows, f"{measure}-{results.kind}-{slug(approach)}", about=f"{about}: {described_spread(rows)}."
    )


def _overlap(results: Results, scores: pl.DataFrame, approach: str) -> Iterator[Block]:
    """Show the other measures of the best approach; the tables of the folder have them for all."""
    energy = _measure_table(results, scores, approach, ENERGY, f"Share of {approach}’s evidence that lies in the boxes")
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
        address=_as_address(path),
        alt=f"Test films under the {method} maps of {run}, known boxes drawn.",
        caption=f"{run}, {method}: a row per finding, up to five films, evenly spaced by rank of the probability "
        "(written above each film, not calibrated), so failures show too. Boxes are the truth. The positive part of a "
        "map is divided by its own maximum, so colours of different films do not compare. These are films of the "
        f"archive: whoever gets this page gets them. The other sheets are in {folder.name}/{FIGURES_FOLDER}.",
        unfold=f"Films of {run} under {method}",
    )


def findings_of(rows: pl.DataFrame) -> dict[str, str]:
    """Findings with a box and their titles, the most frequent first; all together last."""
    films = rows.filter(pl.col("finding") != ALL).group_by("finding", maintain_order=True).agg(pl.col("images").max())
    ordered = films.sort("images", descending=True, maintain_order=True)["finding"]
    return {**{name: title_of(name) for name in ordered}, ALL: EVERY_FINDING}


def methods_of(rows: pl.DataFrame) -> list[str]:
    """Methods in the order in which they were asked, the maps that know nothing last."""
    return rows["method"].unique(maintain_order=True).to_list()


def measure_table(rows: pl.DataFrame, name: str, *, about: str) -> Table:
    """One measure per finding and method, and what each method has over the middle of the film.

    Args:
        rows: Rows of ``localisation.csv``: one approach, one measure, one level.
        name: File name of the table.
        about: Caption.
    """
    methods = methods_of(rows)
    maps = [method for method in methods if method not in {CENTRE, RANDOM}]
    of = tuple(rows["approach"].unique())

    def row(finding: str, title: str) -> Row:
        own = {method: rows.filter(finding=finding, method=method) for method in methods}
        films, patients = (Cell(mean_count(own[CENTRE][column].to_list())) for column in ("images", "patients"))
        values = (
            estimate_cell(estimate_of(own[method]), digits=DIGITS, of=of if method in maps else ())
            for method in methods
        )
        gains = (_gain(own[method]).of_approaches(*of) for method in maps)
        return Row(title, (films, patients, *values, *gains), is_summary=finding == ALL)

    return Table(
        name=name,
        caption=about,
        columns=("Finding", "Films", "Patients", *methods, *(f"{method} − centre" for method in maps)),
        rows=tuple(row(*one) for one in findings_of(rows).items()),
        note="Films: test films with a box of the finding. Bold: the interval of the difference to the middle of the "
        "film, paired film by film, lies above zero.",
    )


def _gain(rows: pl.DataFrame) -> Cell:
    """Difference between a method and the middle of the film."""
    found = estimate_of(rows, OVER_CENTRE, prefix=f"{OVER_CENTRE}_")
    return estimate_cell(found, digits=DIGITS, is_difference=True)


def level_table(rows: pl.DataFrame, name: str, *, about: str) -> Table:
    """Overlap with the boxes at every level of the map, all findings together.

    Args:
        rows: Rows of ``localisation.csv``: one approach.
        name: File name of the table.
        about: Caption.
    """
    own = rows.filter(pl.col("measure").str.starts_with(IOU), finding=ALL)
    measures = own["measure"].unique(maintain_order=True).to_list()
    pairs = own.select("method", "level").unique(maintain_order=True)
    return Table(
        name=name,
        caption=about,
        columns=("Map, level", *(_share_title(measure) for measure in measures)),
        rows=tuple(
            Row(
                f"{method}, {percent(level).replace('.0', '')}",
                tuple(
                    estimate_cell(
                        estimate_of(own.filter(method=method, level=level, measure=measure)),
                        digits=DIGITS,
                        of=() if method in {CENTRE, RANDOM} else tuple(own["approach"].unique()),
                    )
                    for measure in measures
                ),
            )
            for method, level in pairs.iter_rows()
        ),
        note="The marked region is the part of the map around its maximum that reaches the level, in per cent of the "
        "maximum. Share over …: share of films on which the box around the region overlaps a known box by more. "
        "Choose a level on other films than these.",
    )


def _share_title(measure: str) -> str:
    return "Mean IoU" if measure == IOU else f"Share over {measure.removeprefix(IOU_OVER)}"


def sanity_table(rows: pl.DataFrame, approaches: Sequence[str], name: str) -> Table:
    """Rank correlation of the maps before and after the network is made random, more and more of it.

    Args:
        rows: Rows of ``sanity.csv``.
        approaches: Approaches, in order.
        name: File name of the table.
    """
    steps = rows["randomised"].unique(maintain_order=True).to_list()
    asked = [
        (approach, method)
        for approach in approaches
        for method in rows.filter(approach=approach)["method"].unique(maintain_order=True)
    ]
    films = mean_count(rows["images"].to_list())
    return Table(
        name=name,
        caption=f"Sanity check: rank correlation of the maps of {films} boxed findings before and after the weights "
        "are made random, from the last layer on.",
        columns=("Map", *_step_titles(steps)),
        rows=tuple(
            Row(f"{approach}, {method}", tuple(_correlation(rows, approach, method, step) for step in steps))
            for approach, method in asked
        ),
        note="Near 0: the maps depend on what was learnt. Near 1: they show the film, whatever the weights. Each "
        "column keeps random what the columns before it made random.",
    )


def _step_titles(steps: Sequence[str]) -> list[str]:
    """The first part that is random, then each that joins it."""
    names = [step.removeprefix("backbone.") for step in steps]
    return [f"+ {name}" if place else name for place, name in enumerate(names)]


def _correlation(rows: pl.DataFrame, approach: str, method: str, step: str) -> Cell:
    own = rows.filter(approach=approach, method=method, randomised=step)
    return estimate_cell(estimate_of(own, "correlation"), digits=DIGITS, of=(approach,))


def _as_address(path: Path) -> str:
    """An image file as a JPEG no wider than the page, in a ``data:`` address.

    Raises:
        OSError: It is absent or no image.
    """
    buffer = io.BytesIO()
    with Image.open(path) as image:
        image.thumbnail((PHOTOGRAPH_WIDTH, 100 * PHOTOGRAPH_WIDTH), Image.Resampling.LANCZOS)
        image.convert("RGB").save(buffer, format="JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
