"""What age, sex and view are worth in numbers, and how far the film shows them itself."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from cxrbench.evaluate.asked import ALONE, BOTH, IMAGE
from cxrbench.evaluate.discrimination import MEAN
from cxrbench.report.differences import Difference
from cxrbench.report.estimates import estimate_cell, estimate_of
from cxrbench.report.tables.table import Cell, Row, Table
from cxrbench.report.words import NOTHING, decimal, interval, mean_count, signed, title_of

TARGETS = {"sex": "Sex, AUC", "view": "View position, AUC", "age": "Age, mean absolute error in years"}
GAIN_SAID = (
    " Both − film: with its 95 % interval; bold where that excludes zero, and so does the test of the figure above."
)
DIGITS = {"sex": 3, "view": 3, "age": 1}


def input_table(table: pl.DataFrame, approach: str, gains: Mapping[str, Difference], *, name: str, about: str) -> Table:
    """AUC per finding of every model without the film, of an approach, and of its -meta twin.

    Args:
        table: Rows of ``nonimage.csv`` on one kind of split.
        approach: Without non-image features.
        gains: The twin minus the approach, by finding; empty where there is no twin.
        name: Of the table.
        about: Its caption.
    """
    readers = table.filter(given=ALONE)["model"].unique(maintain_order=True).to_list()
    twin = table.filter(given=BOTH, model=f"{approach}-meta")["model"].unique().to_list()
    models = [*((ALONE, reader) for reader in readers), (IMAGE, approach), *((BOTH, model) for model in twin)]

    def row(finding: str) -> Row:
        own = table.filter(finding=finding)
        positives = own.filter(given=ALONE, model=readers[0])["positives"].drop_nulls().to_list()
        aucs = (estimate_cell(estimate_of(own.filter(given=g, model=m), "auc"), digits=3) for g, m in models)
        gain = (_gain(gains.get(finding)),) if gains else ()
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


def _gain(gain: Difference | None) -> Cell:
    if gain is None or gain.value is None:
        return Cell(NOTHING)
    detail = "" if gain.lower is None else interval(gain.lower, gain.upper)
    return Cell(signed(gain.value), detail, is_best=gain.is_clear)


def probe_table(probes: pl.DataFrame, approaches: Sequence[str], *, name: str, about: str) -> Table:
    """How well sex, view and age can be read from the film.

    Args:
        probes: Rows of ``probes.csv`` on one kind of split.
        approaches: In order.
        name: Of the table.
        about: Its caption.
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
    gain = estimate_cell(estimate_of(rows, "gain", prefix="gain_"), digits=digits, is_difference=True)
    return Row(f"{approach}: {TARGETS[target]}", (*_counts(rows), estimate_cell(found, digits=digits), untold, gain))


def _counts(rows: pl.DataFrame) -> tuple[Cell, Cell]:
    learnt, tested = (Cell(mean_count(rows[column].to_list())) for column in ("learnt_from", "images"))
    return learnt, tested
