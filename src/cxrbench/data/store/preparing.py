"""Archive -> store: in parallel, resumable, and never under its final name before it is complete."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import polars as pl

from cxrbench.data.decoding import Chunk, Outcome, decode_chunk, done, start_worker
from cxrbench.data.geometry import DEFINITION
from cxrbench.data.store.reading import INDEX_FILE, STORE_FILE, Failure, Store, open_store
from cxrbench.data.store.space import PLAN_FILE, allocate, reporting_disk
from cxrbench.data.tables import Archive, present, require_complete
from cxrbench.errors import DataError
from cxrbench.files import atomic_folder, digest_json, partial_of, write_json
from cxrbench.progress import Track, silent

CHUNK = 32
"""Images decoded together: about half a second of work, which is what a killed process loses."""

SHOWN = 3
REMEDY = "choose another folder, or delete it to have it made again"


@dataclass(frozen=True)
class Plan:
    """What a store is made from and what it will hold."""

    folder: Path
    images: pl.DataFrame  # image_id, path, bytes; the order is that of the rows
    sizes: tuple[int, ...]

    @property
    def source(self) -> str:
        """Digest of the images: ids, paths and file sizes, in a fixed order."""
        return digest_json(self.images.sort("image_id").rows())

    @property
    def chunks(self) -> list[Chunk]:
        """The images in portions of ``CHUNK``."""
        starts = range(0, self.images.height, CHUNK)
        return [self._chunk(number, start) for number, start in enumerate(starts)]

    def _chunk(self, number: int, start: int) -> Chunk:
        rows = self.images[start : start + CHUNK]
        return Chunk(number, start, self.folder, tuple(rows["path"]), digest_json(rows.rows()))

    @property
    def identity(self) -> dict[str, object]:
        """What unfinished work must agree on to be gone on with; a file that was replaced is decoded again."""
        ids = digest_json(self.images["image_id"].to_list())
        return {"definition": DEFINITION, "sizes": list(self.sizes), "images": self.images.height, "ids": ids}


def prepare_store(
    archive: Archive,
    folder: Path,
    *,
    sizes: Sequence[int] = (256, 480),
    workers: int = 1,
    allow_missing: bool = False,
    track: Track = silent,
) -> Store:
    """Decode every image once and keep it at each size; return the store at once when it is there already.

    Work that was interrupted goes on where it stopped. With several workers, the caller's script needs the
    usual ``if __name__ == "__main__":``, as the processes are spawned.

    Args:
        archive: Whose images to decode.
        folder: Where the store will be; ``<folder>.partial`` until it is complete.
        sizes: Sides of the squares, pixels.
        workers: Processes that decode.
        allow_missing: Leave images out that are missing or cannot be read; the store lists the latter.
        track: Shows progress; counts images.

    Raises:
        DataError: Images are missing or cannot be read, ``folder`` holds something else, or the disk is full or
            cannot be written.
    """
    require_complete(archive, allow_missing=allow_missing)
    plan = _plan(archive, sizes)
    if not folder.exists():
        _make(plan, folder, workers=workers, allow_missing=allow_missing, track=track)
    store = open_store(folder)
    _check_same(store, plan)
    _check_failures(store.failures, folder, allow_missing=allow_missing)
    return store


def _plan(archive: Archive, sizes: Sequence[int]) -> Plan:
    """Everything that is known before a single image is decoded."""
    if not sizes or min(sizes) < 1:
        raise ValueError(f"sizes must be positive; got {tuple(sizes)}")
    images = present(archive).select("image_id", "path")
    lengths = [_length(archive.folder / path) for path in images["path"]]
    return Plan(
        archive.folder, images.with_columns(bytes=pl.Series(lengths, dtype=pl.Int64)), tuple(sorted(set(sizes)))
    )


def _length(path: Path) -> int:
    """Bytes of a file; -1 when it cannot even be looked at, which decoding will report."""
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _make(plan: Plan, folder: Path, *, workers: int, allow_missing: bool, track: Track) -> None:
    """Build the store beside its final name, then rename it."""
    with reporting_disk(folder):
        allocate(partial_of(folder), plan.sizes, plan.images.height, identity=plan.identity)
        with atomic_folder(folder, keep_on_error=True) as scratch:
            chunks = plan.chunks
            _decode(chunks, scratch, plan.sizes, workers=workers, retry=not allow_missing, track=track)
            outcomes = [outcome for chunk in chunks for outcome in done(chunk, scratch) or []]
            failures = _failures(plan, outcomes)
            _check_failures(failures, folder, allow_missing=allow_missing)
            _finish(plan, outcomes, failures, scratch)


def _decode(
    chunks: Sequence[Chunk], scratch: Path, sizes: tuple[int, ...], *, workers: int, retry: bool, track: Track
) -> None:
    """Decode the chunks that are not done; ``retry`` those with images that could not be read."""

    def is_open(chunk: Chunk) -> bool:
        outcomes = done(chunk, scratch)
        return outcomes is None or (retry and any(outcome.reason for outcome in outcomes))

    todo = [chunk for chunk in chunks if is_open(chunk)]
    images = sum(len(chunk.paths) for chunk in todo)
    finished = _here(todo, scratch, sizes) if min(workers, len(todo)) < 2 else _spread(todo, scratch, sizes, workers)
    for _ in track((path for chunk in finished for path in chunk.paths), total=images, label="decoding images"):
        pass


def _here(chunks: Sequence[Chunk], scratch: Path, sizes: tuple[int, ...]) -> Iterator[Chunk]:
    """Decode in this process."""
    for chunk in chunks:
        decode_chunk(chunk, scratch, sizes)
        yield chunk


def _spread(chunks: Sequence[Chunk], scratch: Path, sizes: tuple[int, ...], workers: int) -> Iterator[Chunk]:
    """Decode in several processes; spawned, as a fork of a process with threads can hang."""
    pool = ProcessPoolExecutor(min(workers, len(chunks)), mp_context=get_context("spawn"), initializer=start_worker)
    try:
        futures: dict[Future[None], Chunk] = {
            pool.submit(decode_chunk, chunk, scratch, sizes): chunk for chunk in chunks
        }
        for future in as_completed(futures):
            future.result()
            yield futures.pop(future)
    except BrokenProcessPool:
        raise DataError(
            f"a decoding process was killed, perhaps for want of memory; run it again with fewer workers than {workers}, "
            "it goes on where it stopped"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _failures(plan: Plan, outcomes: Sequence[Outcome]) -> tuple[Failure, ...]:
    """The images that could not be read."""
    rows = zip(plan.images.select("image_id", "path").iter_rows(), outcomes, strict=True)
    return tuple(Failure(image_id, path, outcome.reason) for (image_id, path), outcome in rows if outcome.reason)


def _check_failures(failures: Sequence[Failure], folder: Path, *, allow_missing: bool) -> None:
    """Refuse images that cannot be read, unless that was allowed."""
    if failures and not allow_missing:
        shown = "; ".join(f"{failure.path}: {failure.reason}" for failure in failures[:SHOWN])
        more = "; ..." if len(failures) > SHOWN else ""
        images = "1 image" if len(failures) == 1 else f"{len(failures):,} images"
        raise DataError(
            f"{images} cannot be read ({shown}{more}); replace the files, or leave them out: --allow-missing"
            + (f" (the other images are kept in {partial_of(folder)})" if partial_of(folder).exists() else "")
        )


def _finish(plan: Plan, outcomes: Sequence[Outcome], failures: tuple[Failure, ...], scratch: Path) -> None:
    """Write index and description; take the marks away."""
    index = _index(plan, outcomes)
    index.write_parquet(scratch / INDEX_FILE)
    write_json(
        scratch / STORE_FILE,
        {
            "definition": DEFINITION,
            "sizes": list(plan.sizes),
            "source": plan.source,
            "images": index.height,
            "padded": index.filter(pl.col("height") != pl.col("width")).height,
            "enlarged": {str(size): int(index[f"is_enlarged_{size}"].sum()) for size in plan.sizes},
            "failures": [asdict(failure) for failure in failures],
        },
    )
    for leftover in [scratch / PLAN_FILE, *scratch.glob("chunk-*.json")]:
        leftover.unlink(missing_ok=True)


def _index(plan: Plan, outcomes: Sequence[Outcome]) -> pl.DataFrame:
    """One row per readable image."""
    height, width = ([getattr(outcome, side) for outcome in outcomes] for side in ("height", "width"))
    images = plan.images.select(
        "image_id",
        row=pl.int_range(pl.len()),
        height=pl.Series(height, dtype=pl.Int32),
        width=pl.Series(width, dtype=pl.Int32),
    )
    longer = pl.max_horizontal("height", "width")
    return images.filter(longer > 0).with_columns((longer < size).alias(f"is_enlarged_{size}") for size in plan.sizes)


def _check_same(store: Store, plan: Plan) -> None:
    """Refuse a finished store that does not hold what is asked for."""
    if store.source != plan.source:
        raise DataError(
            f"{store.folder} was made from other images ({store.index.height + len(store.failures):,} then, "
            f"{plan.images.height:,} now under {plan.folder}); {REMEDY}"
        )
    if lacking := sorted(set(plan.sizes) - set(store.sizes)):
        have, wanted = (", ".join(map(str, sizes)) for sizes in (store.sizes, lacking))
        raise DataError(f"{store.folder} has images of size {have}, not {wanted}; {REMEDY}")
