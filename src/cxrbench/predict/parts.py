"""Predictions of an archive of any size, in parts: each appears whole or not at all, so that a restart makes the rest.

The work lies in ``<folder>.partial/``, which gets the folder's name when every part is there.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl

from cxrbench.bundle import Bundle, load_bundle
from cxrbench.errors import DataError
from cxrbench.files import alone, atomic_file, atomic_folder
from cxrbench.predict.exported import with_export
from cxrbench.predict.listing import read_part, write_list
from cxrbench.predict.manifest import (
    LIST_FILE,
    MANIFEST_FILE,
    PARTS_FOLDER,
    Manifest,
    check_same,
    missing_parts,
    part_file,
    read_manifest,
    write_manifest,
)
from cxrbench.predict.predictor import BATCH, Predictor
from cxrbench.predict.preparation import Request
from cxrbench.predict.writing import as_table
from cxrbench.progress import Track, silent


@dataclass(frozen=True, kw_only=True)
class Work:
    """All that a process, here or on another node, needs to make parts.

    Attributes:
        bundle: Folder of the bundle.
        folder: Where the list is and the parts go.
        allowed_modules: Python modules that the bundle may import to build its networks.
        export: Folder of an export of the bundle that lies elsewhere; None: those within it.
    """

    bundle: Path
    folder: Path
    allowed_modules: tuple[str, ...] = ()
    export: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Options:
    """How parts are computed.

    Attributes:
        backend: What computes the logits; see ``BACKENDS``.
        has_mirror: Test-time augmentation.
        batch_size: Films that the networks see together.
        part_size: Films of a part.
    """

    backend: str = "torch"
    has_mirror: bool = False
    batch_size: int = BATCH
    part_size: int = 2048


DEFAULTS = Options()


class MakeParts(Protocol):
    """Makes parts somewhere, in any order."""

    def __call__(self, work: Work, todo: Sequence[int], /) -> Iterator[int]:
        """Make these parts; yield each one's number when it is on disk."""
        ...


class PartMaker:
    """A bundle whose networks are in memory, at work on one folder of parts."""

    def __init__(self, work: Work, *, workers: int) -> None:
        """Load the networks.

        Args:
            work: What to make.
            workers: Processes that decode; 0: none of its own.

        Raises:
            DataError: The bundle is not the one that the folder was begun with.
        """
        self._folder, self._workers = work.folder, workers
        self._manifest = read_manifest(work.folder)
        bundle = load_bundle(work.bundle, allowed_modules=work.allowed_modules)
        bundle = bundle if work.export is None else with_export(bundle, work.export)
        if bundle.digest != self._manifest.bundle:
            raise DataError(
                f"{work.bundle} is bundle {bundle.digest[:12]}, {work.folder} was begun with "
                f"{self._manifest.bundle[:12]}; put that one there"
            )
        self._predictor = Predictor(bundle, backend=self._manifest.backend, has_mirror=self._manifest.has_mirror)

    def make(self, number: int) -> None:
        """Make one part, unless it is there."""
        path = part_file(self._folder, number)
        if path.exists():
            return
        predictions = self._predictor.predict_files(
            read_part(self._folder / LIST_FILE, number), batch_size=self._manifest.batch_size, workers=self._workers
        )
        table = as_table(self._predictor.bundle, predictions)
        with atomic_file(path) as scratch:
            table.write_parquet(scratch)


def here(*, workers: int) -> MakeParts:
    """Make parts in this process, with others that decode."""

    def make(work: Work, todo: Sequence[int], /) -> Iterator[int]:
        maker = PartMaker(work, workers=workers)
        for number in todo:
            maker.make(number)
            yield number

    return make


def predict_parts(
    bundle: Bundle,
    requests: Iterable[Request],
    folder: Path,
    *,
    make: MakeParts,
    options: Options = DEFAULTS,
    track: Track = silent,
) -> Manifest:
    """Answer about films in parts; the folder appears when all are there, and what was interrupted goes on.

    Args:
        bundle: Who answers.
        requests: The films, looked at once; no more than a part of them is held in memory.
        folder: Of the parts: ``manifest.json``, ``films.parquet`` and ``predictions/part-*.parquet``.
        make: Where parts are made.
        options: How they are computed.
        track: Shows progress; counts films.

    Raises:
        DataError: The folder was begun with other films, another bundle or other options, or holds something else; or
            another process works on it.
    """
    if folder.exists():
        read_manifest(folder)  # before anything is written: it may be somebody else's
        return _fixed(bundle, requests, folder, options)
    with atomic_folder(folder, keep_on_error=True) as scratch, alone(scratch, "makes these predictions"):
        manifest = _begun(bundle, requests, scratch, options)
        todo = missing_parts(scratch, manifest)
        films = sum(map(manifest.films_of, todo))
        work = Work(
            bundle=bundle.folder.absolute(),
            folder=scratch.absolute(),
            allowed_modules=bundle.allowed_modules,
            export=None if bundle.export is None else bundle.export.absolute(),
        )
        made = make(work, todo) if todo else iter(())
        each = (film for number in made for film in range(manifest.films_of(number)))
        for _ in track(each, total=films, label="predicting"):
            pass
        _clear(scratch)
    return manifest


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What a set of parts holds: films answered, of these with warnings, and films that could not be read."""

    parts: int
    answered: int
    warned: int
    failed: int


def count_predictions(folder: Path) -> Counts:
    """Count what a finished folder of parts holds."""
    films = pl.scan_parquet(folder / PARTS_FOLDER / "*.parquet")
    columns = films.select(pl.len(), pl.col("warnings").count(), pl.col("error").count()).collect()
    total, warned, failed = columns.row(0)
    parts = read_manifest(folder).parts
    return Counts(parts=parts, answered=total - failed, warned=warned, failed=failed)


def _begun(bundle: Bundle, requests: Iterable[Request], scratch: Path, options: Options) -> Manifest:
    """Fix what is to be made; nothing is left behind where that fails at the first call."""
    try:
        _require_ours(scratch)
        manifest = _fixed(bundle, requests, scratch, options)
    except BaseException:
        with suppress(OSError):  # not empty: begun by an earlier call
            scratch.rmdir()
        raise
    (scratch / PARTS_FOLDER).mkdir(exist_ok=True)
    return manifest


def _require_ours(scratch: Path) -> None:
    """Refuse a folder of this name that no earlier call began."""
    ours = {LIST_FILE, MANIFEST_FILE}
    foreign = [path.name for path in scratch.iterdir() if path.name not in ours and not path.name.startswith(".")]
    if foreign and not (scratch / MANIFEST_FILE).exists():
        raise DataError(f"{scratch} holds {min(foreign)}, which is none of these predictions; choose another folder")


def _fixed(bundle: Bundle, requests: Iterable[Request], folder: Path, options: Options) -> Manifest:
    """Write list and manifest, or see that they are those that the folder was begun with."""
    with atomic_file(folder / LIST_FILE) as listed:
        films = write_list(requests, listed, part_size=options.part_size)
        manifest = Manifest(
            bundle=bundle.digest,
            backend=options.backend,
            has_mirror=options.has_mirror,
            batch_size=options.batch_size,
            part_size=options.part_size,
            films=films.films,
            films_sha256=films.sha256,
            findings=bundle.answered,
            notices=bundle.record.notices,
        )
        if (folder / MANIFEST_FILE).exists():
            check_same(folder, manifest)
    write_manifest(folder, manifest)
    return manifest


def _clear(folder: Path) -> None:
    """Take away what processes left that were killed while they wrote."""
    for leftover in (folder / PARTS_FOLDER).glob(".*.partial"):
        leftover.unlink(missing_ok=True)
