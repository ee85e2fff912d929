"""Test films that pre-trained weights saw before: counted per split, and marked in every table that rests on them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from cxrbench.evaluate.columns import APPROACH, SEEN, SPLIT, count, names_of, text
from cxrbench.evaluate.ensembles import EVERY_APPROACH, SEEDS_OF
from cxrbench.evaluate.reading import read_config, read_record, weights_of
from cxrbench.results import Column, ResultTable
from cxrbench.runs import RunName
from cxrbench.splits import Split

IMAGE_LIST, OFFICIAL_LIST, PATIENTS = "image list", "official list", "patients"
"""Ways in which it is known which films weights saw."""

PRETRAINING_TABLE = ResultTable(
    "pretraining.csv",
    "One row per approach, split and archive that its pre-trained weights saw.",
    (
        APPROACH,
        SPLIT,
        text("archive", "Archive that the weights saw and the study uses."),
        Column("with_labels", pl.Boolean, "The weights learnt its labels too."),
        text(
            "basis",
            "How it is known: `image list`, `official list`, `patients`; `archive`, which is at most; or `image list "
            "without a film`: the list names no film of the study.",
        ),
        count("test_images", "Test images of the split."),
        count("test_seen", "Those of them that the weights saw; at most so many where the basis is `archive`."),
        count("val_seen", "Likewise of the validation images."),
    ),
)

MARKED_BY = ("approach", "approach_a", "approach_b", "ensemble", "split", "kind")
"""Columns that say which approaches and splits a row rests on."""


def pretraining_table(study: Path, names: Sequence[RunName]) -> pl.DataFrame:
    """Count the held-out films that pre-trained weights saw, per approach and split with finished runs."""
    done = {(run.approach, run.split) for run in names}
    found = read_record(study).get("pretraining") or []
    return PRETRAINING_TABLE.frame(row for row in found if (row["approach"], row["split"]) in done)


@dataclass(frozen=True)
class SeenFilms:
    """Test films that the weights of a study's approaches saw.

    Attributes:
        counts: Approach and split -> how many; None where that is not known.
        kinds: Split -> its kind.
    """

    counts: Mapping[tuple[str, str], int | None]
    kinds: Mapping[str, str]

    def mark(self, table: pl.DataFrame) -> pl.DataFrame:
        """Fill the column of seen test films, in a table that has it."""
        if SEEN.name not in table.columns:
            return table
        keys = [name for name in MARKED_BY if name in table.columns]
        rests_on = table.select(keys).unique(maintain_order=True)
        seen = [self._most(row) for row in rests_on.iter_rows(named=True)]
        marks = rests_on.with_columns(pl.Series(SEEN.name, seen, dtype=SEEN.type))
        marked = table.drop(SEEN.name).join(marks, on=keys, how="left", maintain_order="left", nulls_equal=True)
        return marked.select(table.columns)

    def _most(self, row: Mapping[str, Any]) -> int | None:
        """Return the largest count of a row's approaches and splits; None where one is not known."""
        counts = [self.counts[key] for key in self._keys(row)]
        known = [each for each in counts if each is not None]
        return max(known, default=0) if len(known) == len(counts) else None

    def _keys(self, row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield the approaches and splits that a row rests on."""
        for approach, split in self.counts:
            if row.get("split", split) == split and row["kind"] == self.kinds[split] and _has(row, approach):
                yield approach, split


def _has(row: Mapping[str, Any], approach: str) -> bool:
    """Say if a row tells of an approach."""
    named = {row.get(name) for name in ("approach", "approach_a", "approach_b")}
    return approach in named or row.get("ensemble") in {EVERY_APPROACH, SEEDS_OF + approach}


def seen_films(study: Path, names: Sequence[RunName], splits: Iterable[Split]) -> SeenFilms:
    """Return the test films that pre-trained weights saw, of every approach and split with finished runs.

    Args:
        study: Folder of the study.
        names: Finished runs.
        splits: Splits of these runs.
    """
    was_looked_for = "pretraining" in read_record(study)
    seen = {(run.approach, run.split): 0 if was_looked_for or not _has_weights(study, run) else None for run in names}
    told = pretraining_table(study, names)
    for *key, basis, count_of in told.select(*names_of((APPROACH, SPLIT)), "basis", "test_seen").iter_rows():
        before = seen[tuple(key)]
        is_known = before is not None and basis in {IMAGE_LIST, OFFICIAL_LIST, PATIENTS}
        seen[tuple(key)] = max(before, count_of) if is_known else None
    return SeenFilms(seen, {split.name: split.kind for split in splits})


def _has_weights(study: Path, run: RunName) -> bool:
    """Say if a run started from weights that may have seen films."""
    weights = weights_of(read_config(study, run), where=str(run))
    return weights is not None and not weights.is_stand_in
