"""Pre-trained weights: what they are, where they come from, and which films they saw before."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from cxrbench.config import WeightsRecord
from cxrbench.evaluate.reading import read_config, weights_of
from cxrbench.report.study import Study, Tables, run_names
from cxrbench.report.table import Row, Table, cells
from cxrbench.report.words import count, listed, short


def seen_before(tables: Tables) -> pl.DataFrame:
    """Return the rows of ``pretraining.csv`` about evaluated splits with test films that pre-trained weights saw."""
    own = tables.pretraining
    return (
        own.filter(pl.col("test_seen") > 0, pl.col("split").is_in(tables.auc["split"].unique().implode()))
        if own.height
        else own
    )


def seen_said(seen: pl.DataFrame) -> str:
    """Return each approach with the most films that its weights saw on a split, their archive, and whether with labels.

    Args:
        seen: Rows that ``seen_before`` returned; empty text where there are none.
    """
    return listed(
        [_films_said(rows) for _, rows in seen.group_by("approach", maintain_order=True)] if seen.height else []
    )


def _films_said(rows: pl.DataFrame) -> str:
    worst = rows.sort("test_seen", descending=True, maintain_order=True).row(0, named=True)
    most = "up to " if worst["basis"] == "archive" else ""
    return (
        f"{worst['approach']} ({most}{count(worst['test_seen'])} of {count(worst['test_images'])} test films of "
        f"{worst['split']}, {worst['archive']} {'with' if worst['with_labels'] else 'without'} labels)"
    )


def pretraining(study: Study) -> dict[str, WeightsRecord]:
    """Return the records of pre-trained weights by approach, of those that start from any."""
    found: dict[str, WeightsRecord] = {}
    for run in run_names(study):
        record = weights_of(read_config(study.folder, run), where=str(run))
        if record is not None:
            found.setdefault(run.approach, record)
    return found


def weights_said(study: Study) -> str:
    """Return what each approach starts from; those that share it together."""
    sharing: dict[str, list[str]] = {}
    for approach, record in pretraining(study).items():
        sharing.setdefault(_weights_line(record), []).append(approach)
    return "; ".join(f"{listed(approaches)}: {line}" for line, approaches in sharing.items()) or "none"


def _weights_line(record: WeightsRecord) -> str:
    seen = f", seen {record.licence_seen}" if record.licence_seen else ""
    licence = "" if record.is_stand_in else f", licence {record.licence}{seen}"
    archives = [f"{each.archive} {'with' if each.with_labels else 'without'} labels" for each in record.saw]
    matched = "" if record.tensors is None else f", {count(record.tensors)} tensors matched"
    saw = f", saw {listed(archives)}" if archives else ""
    return f"{record.title} ({record.source}{matched}{licence}{saw}), SHA-256 {short(record.digest)}"


def pretraining_table(study: Study) -> Table:
    """Test films that pre-trained weights saw before."""
    return Table(
        name="pretraining",
        caption="Held-out films that the pre-trained weights of an approach saw before.",
        columns=("Approach", "Split", "Archive", "Labels", "Known by", "Test films", "Validation films"),
        rows=tuple(map(_pretraining_row, study.tables.pretraining.iter_rows(named=True))),
        note="Where only the archive is known, the numbers are upper limits.",
        is_text=True,
    )


def _pretraining_row(row: Mapping[str, Any]) -> Row:
    most = "at most " if row["basis"] == "archive" else ""
    return Row(
        row["approach"],
        cells(
            [
                row["split"],
                row["archive"],
                "learnt" if row["with_labels"] else "not learnt",
                row["basis"],
                f"{most}{count(row['test_seen'])} of {count(row['test_images'])}",
                f"{most}{count(row['val_seen'])}",
            ]
        ),
    )
