"""Archive -> store: in parallel, resumable, and never under its final name before it is complete."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from cxrbench.data.decoding import Outcome, pixel_file
from cxrbench.data.store.contents import Failure, Store, open_store, write_store
from cxrbench.data.store.plan import Plan, clear_marks, make_room, plan_store, reporting_disk
from cxrbench.data.store.pool import decode_all
from cxrbench.data.tables import Archive, require_complete
from cxrbench.data.tables.wording import first_of, images
from cxrbench.errors import DataError
from cxrbench.files import alone, atomic_folder, partial_of
from cxrbench.progress import Track, silent

SIDES = ("height", "width")
BUSY = "is preparing this store"
_REMEDY = "choose another folder, or delete it to have it made again"


def prepare_store(
    archive: Archive,
    folder: Path,
    *,
    sizes: Sequence[int] = (256, 480),
    workers: int = 0,
    allow_missing: bool = False,
    track: Track = silent,
) -> Store:
    """Decode every image once and keep it at each size.

    A store that is there already is returned at once, after sizes that it lacks were added. Work that was
    interrupted goes on where it stopped.

    Args:
        archive: Archive whose images to decode.
        folder: Folder of the store; ``<folder>.partial`` until it is complete.
        sizes: Sides of the squares, pixels.
        workers: Processes that decode, within limits of memory and time; with 0 all is done in this one, which a file
            could then take down.
        allow_missing: Leave images out that are missing or cannot be read; the store lists the latter.
        track: Shows progress; counts images.

    Raises:
        DataError: Images are missing or cannot be read; ``folder`` holds the store of other images, or is being
            prepared by another process; the disk is full or cannot be written.
    """
    require_complete(archive, allow_missing=allow_missing)
    plan = plan_store(archive, sizes)
    with reporting_disk(folder):
        if not folder.exists():
            _make(plan, folder, workers=workers, allow_missing=allow_missing, track=track)
        clear_marks(folder)
        store = _open_same(plan, folder)
        _check_failures(store, allow_missing=allow_missing)
        if lacking := tuple(size for size in plan.sizes if size not in store.sizes):
            _extend(store, replace(plan, sizes=lacking), workers=workers, track=track)
    return open_store(folder)


def _make(plan: Plan, folder: Path, *, workers: int, allow_missing: bool, track: Track) -> None:
    """Build the store beside its final name, then rename it."""
    with atomic_folder(folder, keep_on_error=True) as scratch, alone(scratch, BUSY):
        make_room(scratch, plan)
        outcomes = decode_all(plan.chunks, scratch, plan.sizes, workers=workers, track=track)
        store = _as_store(plan, outcomes, scratch)
        _check_failures(store, allow_missing=allow_missing)
        write_store(store)


def _extend(store: Store, plan: Plan, *, workers: int, track: Track) -> None:
    """Add sizes to a finished store; they are part of it once its description, written last, says so."""
    scratch = partial_of(store.folder)
    scratch.mkdir(exist_ok=True)
    with alone(scratch, BUSY):
        make_room(scratch, plan)
        added = _as_store(plan, decode_all(plan.chunks, scratch, plan.sizes, workers=workers, track=track), scratch)
        if added.failures != store.failures:
            raise DataError(f"{store.folder}: other images can be read now than when it was made; {_REMEDY}")
        for path in (pixel_file(scratch, size) for size in plan.sizes):
            if path.exists():  # not moved before an earlier attempt was killed
                path.replace(store.folder / path.name)
        write_store(replace(store, sizes=tuple(sorted((*store.sizes, *plan.sizes)))))
        shutil.rmtree(scratch)


def _as_store(plan: Plan, outcomes: Sequence[Outcome], folder: Path) -> Store:
    """The decoded images as a store, not yet described on disk."""
    sides = {side: pl.Series([getattr(outcome, side) for outcome in outcomes], dtype=pl.Int32) for side in SIDES}
    listed = plan.images.select("image_id", row=pl.int_range(pl.len(), dtype=pl.Int64), **sides)
    is_read = pl.Series([outcome.reason is None for outcome in outcomes])
    unread = plan.images.filter(~is_read).select("image_id", "path").iter_rows()
    reasons = (outcome.reason for outcome in outcomes if outcome.reason is not None)
    failures = tuple(Failure(image_id, path, why) for (image_id, path), why in zip(unread, reasons, strict=True))
    return Store(folder, plan.sizes, listed.filter(is_read), plan.source, failures)


def _open_same(plan: Plan, folder: Path) -> Store:
    """Open a finished store, unless it was made from other images."""
    store = open_store(folder)
    if store.source != plan.source:
        held, found = store.index.height + len(store.failures), plan.images.height
        raise DataError(
            f"{folder} was made from other images: it holds {held:,}, and {found:,} of other names or file sizes "
            f"are now under {plan.folder}; {_REMEDY}"
        )
    return store


def _check_failures(store: Store, *, allow_missing: bool) -> None:
    """Refuse images that cannot be read, unless that was allowed and there are others."""
    if not store.failures or (allow_missing and store.index.height):
        return
    shown = first_of([f"{failure.path}: {failure.reason}" for failure in store.failures], separator="; ")
    if store.index.is_empty():
        raise DataError(f"none of the {images(len(store.failures))} can be read ({shown})")
    raise DataError(
        f"{images(len(store.failures))} cannot be read ({shown}); replace the files, or go on without them: "
        f"--allow-missing (the others are decoded, in {store.folder})"
    )
