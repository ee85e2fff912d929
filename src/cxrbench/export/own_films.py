"""The films of the run that a member comes from, and what the run said of them: to calibrate and to compare with."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxrbench import runs as names
from cxrbench.bundle import Member
from cxrbench.data.store import Store, open_store
from cxrbench.errors import BundleError
from cxrbench.evaluate.held_out import SplitRuns
from cxrbench.evaluate.reading import read_config, read_split_runs, read_splits, read_table
from cxrbench.export.parity import Network, Samples
from cxrbench.runs import RunName

BATCH = 32


@dataclass(frozen=True)
class OwnFilms:
    """A member's validation and test films.

    Attributes:
        member: Of a bundle.
        store: The shrunk films.
        told: Labels, and the run's logits of both parts.
    """

    member: Member
    store: Store
    told: SplitRuns

    def samples(self, images: pl.DataFrame, *, batch_size: int = BATCH) -> Iterator[Samples]:
        """Rows of the study's table as films, in batches."""
        pixels, rows = self.store.pixels(self.member.approach.input.store_size), self.store.rows(images["image_id"])
        for start in range(0, len(rows), batch_size):
            batch = slice(start, start + batch_size)
            yield Samples(pixels[rows[batch]], images[batch])

    def test_logits(self, exported: Network, *, has_preprocessing: bool) -> NDArray[np.float32]:
        """An exported network's logits (N, L) of the test films."""
        batches = self.samples(self.told.test.images)
        return np.concatenate(
            [exported(*one.for_export(self.member, has_preprocessing=has_preprocessing)) for one in batches]
        )

    def run_logits(self, findings: tuple[str, ...]) -> NDArray[np.float32]:
        """The run's own logits (N, L) of the test films, columns in the order of ``findings``."""
        logits: NDArray[np.float32] = self.told.scores[0].logits[:, self.columns(findings)]
        return logits

    def columns(self, findings: tuple[str, ...]) -> list[int]:
        """Columns of the study's findings that these are."""
        return [self.told.test.findings.index(finding) for finding in findings]


def read_own_films(study: Path, member: Member) -> OwnFilms:
    """Open what a member's run was validated and tested on.

    Args:
        study: The study that the run belongs to; its store must be at hand.
        member: Of a bundle.

    Raises:
        BundleError: The study has no run of that name, or another one.
        StudyError: A file of the study cannot be used.
    """
    run = RunName(member.run.approach, member.run.split, member.run.seed)
    if run not in names.finished_runs(study) or read_config(study, run)["hash"] != member.run.hash:
        raise BundleError(f"{study} does not have the run {run} that the bundle was made from; give --study its own")
    split = read_splits(study, [run.split])[run.split]
    return OwnFilms(member, _store(study), read_split_runs(study, read_table(study), split, [run]))


def _store(study: Path) -> Store:
    elsewhere = names.read_study_record(study)["settings"].get("store")
    return open_store(Path(elsewhere or study / "store"))
