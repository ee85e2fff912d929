"""A finished store: what it holds, and whether it is whole."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxrbench.data.decoding import pixel_file
from cxrbench.data.geometry import DEFINITION
from cxrbench.errors import DataError
from cxrbench.files import digest_json

STORE_FILE, INDEX_FILE = "store.json", "index.parquet"


@dataclass(frozen=True)
class Failure:
    """An image that is listed and there, but cannot be read."""

    image_id: str
    path: str
    reason: str


@dataclass(frozen=True)
class Store:
    """A finished store.

    Attributes:
        folder: Where it lies; it may be moved.
        sizes: Sides of the squares, pixels, ascending.
        index: One row per readable image: ``image_id``, ``row`` (of the pixel arrays), ``height`` and ``width`` of
            the file, and one ``is_enlarged_<size>`` per size.
        source: Digest of the images it was made from: ids, paths and file sizes.
        failures: Images that could not be read; their rows in the pixel arrays are zero, and not in the index.
    """

    folder: Path
    sizes: tuple[int, ...]
    index: pl.DataFrame
    source: str
    failures: tuple[Failure, ...]

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the source, the definition of the pixels, the sizes and the failures."""
        return digest_json([self.source, DEFINITION, self.sizes, [failure.image_id for failure in self.failures]])

    def pixels(self, size: int) -> NDArray[np.uint8]:
        """The (N, ``size``, ``size``) uint8 array, memory-mapped read-only; look rows up with ``rows``.

        Open it in the process that reads it: a memory map that is sent to another process is copied whole.

        Raises:
            DataError: The store has no such size, or the file is damaged.
        """
        if size not in self.sizes:
            have = ", ".join(map(str, self.sizes))
            raise DataError(f"{self.folder} has no images of size {size}, only {have}; prepare it again with that size")
        path = pixel_file(self.folder, size)
        try:
            pixels: NDArray[np.uint8] = np.load(path, mmap_mode="r")
        except (OSError, ValueError) as error:
            raise DataError(f"{path} is damaged ({error}); delete {self.folder} and prepare it again") from None
        return pixels

    def rows(self, image_ids: Iterable[str]) -> NDArray[np.int64]:
        """(N,) rows of the pixel arrays, in the order of ``image_ids``.

        Raises:
            DataError: An image that the store lacks; the message has the first, and why.
        """
        wanted = list(image_ids)
        try:
            return np.fromiter((self._row_of[name] for name in wanted), np.int64, count=len(wanted))
        except KeyError as error:
            raise DataError(self._absent(error.args[0])) from None

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return dict(self.index.select("image_id", "row").iter_rows())

    def _absent(self, image_id: str) -> str:
        """Why an image is not in the store."""
        reason = next((f": {failure.reason}" for failure in self.failures if failure.image_id == image_id), "")
        return f"{self.folder} has no image {image_id}{reason}"


def open_store(folder: Path) -> Store:
    """Open a finished store.

    Raises:
        DataError: There is none, it is damaged, or another version of cxrbench made it.
    """
    if not (folder / STORE_FILE).is_file():
        raise DataError(f"{folder} is no store: it has no {STORE_FILE}; make one with cxrbench prepare")
    try:
        raw = json.loads((folder / STORE_FILE).read_text(encoding="utf-8"))
        store = _store(folder, raw)
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{folder} is damaged ({error!r}); delete it and prepare it again") from None
    if raw["definition"] != DEFINITION:
        raise DataError(
            f"{folder} was made by another definition ({raw['definition']!r}; now {DEFINITION!r}); "
            "delete it, or choose another folder"
        )
    _check_pixels(store, raw["images"] + len(store.failures))
    return store


def _store(folder: Path, raw: Any) -> Store:
    """A store as its files describe it."""
    return Store(
        folder=folder,
        sizes=tuple(raw["sizes"]),
        index=pl.read_parquet(folder / INDEX_FILE),
        source=raw["source"],
        failures=tuple(Failure(**failure) for failure in raw["failures"]),
    )


def _check_pixels(store: Store, rows: int) -> None:
    """Refuse arrays of another shape than the index needs."""
    for size in store.sizes:
        pixels = store.pixels(size)
        if pixels.shape != (rows, size, size) or pixels.dtype != np.uint8:
            raise DataError(
                f"{pixel_file(store.folder, size)} is damaged: {pixels.dtype} {pixels.shape}, expected uint8 "
                f"{(rows, size, size)}; delete {store.folder} and prepare it again"
            )
