"""Heat maps against known boxes in numbers, and whether they hang on what was learnt."""

from collections.abc import Sequence

import polars as pl

from cxrbench.evaluate.asked import ALL, CENTRE, IOU, IOU_OVER, RANDOM
from cxrbench.report.estimates import estimate_cell, estimate_of
from cxrbench.report.tables.table import Cell, Row, Table
from cxrbench.report.words import mean_count, percent, title_of

DIGITS = 2
"""Tens to hundreds of films allow no more."""
EVERY_FINDING = "All findings"
OVER_CENTRE = "over_centre"


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
        rows: Of ``localisation.csv``: one approach, one measure, one level.
        name: Of the table.
        about: Its caption.
    """
    methods = methods_of(rows)
    maps = [method for method in methods if method not in {CENTRE, RANDOM}]

    def row(finding: str, title: str) -> Row:
        own = {method: rows.filter(finding=finding, method=method) for method in methods}
        films, patients = (Cell(mean_count(own[CENTRE][column].to_list())) for column in ("images", "patients"))
        values = (estimate_cell(estimate_of(own[method]), digits=DIGITS) for method in methods)
        gains = (_gain(own[method]) for method in maps)
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
    """What a method has over the middle of the film."""
    found = estimate_of(rows, OVER_CENTRE, prefix=f"{OVER_CENTRE}_")
    return estimate_cell(found, digits=DIGITS, is_difference=True)


def level_table(rows: pl.DataFrame, name: str, *, about: str) -> Table:
    """Overlap with the boxes at every level of the map, all findings together.

    Args:
        rows: Of ``localisation.csv``: one approach.
        name: Of the table.
        about: Its caption.
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
                    estimate_cell(estimate_of(own.filter(method=method, level=level, measure=measure)), digits=DIGITS)
                    for measure in measures
                ),
            )
            for method, level in pairs.iter_rows()
        ),
        note="The marked region holds the map’s maximum and what hangs together with it at the level or more, in per "
        "cent of the maximum. Share over …: of films on which the box around it overlaps a known box by more. "
        "A level should be chosen on other films than these.",
    )


def _share_title(measure: str) -> str:
    return "Mean IoU" if measure == IOU else f"Share over {measure.removeprefix(IOU_OVER)}"


def sanity_table(rows: pl.DataFrame, approaches: Sequence[str], name: str) -> Table:
    """Rank correlation of the maps before and after the network is made random, more and more of it.

    Args:
        rows: Of ``sanity.csv``.
        approaches: In order.
        name: Of the table.
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
        note="Near 0: the maps hang on what was learnt. Near 1: they show the film, whatever the weights. Each column "
        "keeps what the ones before it made random.",
    )


def _step_titles(steps: Sequence[str]) -> list[str]:
    """The first part that is random, then each that joins it."""
    names = [step.removeprefix("backbone.") for step in steps]
    return [f"+ {name}" if place else name for place, name in enumerate(names)]


def _correlation(rows: pl.DataFrame, approach: str, method: str, step: str) -> Cell:
    own = rows.filter(approach=approach, method=method, randomised=step)
    return estimate_cell(estimate_of(own, "correlation"), digits=DIGITS)
