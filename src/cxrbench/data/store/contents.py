"""A finished store: what it holds, and its files in and out."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL
import polars as pl
from numpy.typing import NDArray

from cxrbench import __version__
from cxrbench.data.decoding import pixel_file
from cxrbench.data.geometry import DEFINITION
from cxrbench.errors import DataError
from cxrbench.files import digest_json, write_json

STORE_FILE, INDEX_FILE = "store.json", "index.parquet"
_REMEDY = "delete the store to have it made again"


@dataclass(frozen=True)
class Failure:
    """An image that is listed and there, but cannot be read."""

    image_id: str
    path: str
    reason: str


@dataclass(frozen=True)
class Store:
    """An archive's images, decoded and shrunk.

    Attributes:
        folder: Where it lies; it may be moved.
        sizes: Sides of the squares, pixels, ascending.
        index: One row per readable image: ``image_id``, ``row`` of the pixel arrays, ``height`` and ``width`` of the
            file in pixels.
        source: Digest of the images it was made from: their ids, paths and file sizes.
        failures: Images that could not be read; their rows of the pixel arrays are zero, and not in the index.
    """

    folder: Path
    sizes: tuple[int, ...]
    index: pl.DataFrame
    source: str
    failures: tuple[Failure, ...]

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the images, the definition of their pixels, and which of them could be read."""
        return digest_json([self.source, DEFINITION, [failure.image_id for failure in self.failures]])

    def pixels(self, size: int) -> NDArray[np.uint8]:
        """The (N, ``size``, ``size``) images, memory-mapped, read-only; ``rows`` says which is whose.

        Call it in the process that reads: a memory map sent to another process is copied whole.

        Raises:
            DataError: The store has no such size, or the file is damaged.
        """
        if size not in self.sizes:
            raise DataError(f"{self.folder} has images of size {_listed(self.sizes)}, not {size}")
        path = pixel_file(self.folder, size)
        try:
            pixels: NDArray[np.uint8] = np.load(path, mmap_mode="r")
        except (OSError, ValueError) as error:
            raise DataError(f"{path} is damaged ({error}); {_REMEDY}") from None
        expected = (self.index.height + len(self.failures), size, size)
        if pixels.shape != expected or pixels.dtype != np.uint8:
            raise DataError(f"{path} is damaged: {pixels.dtype} {pixels.shape}, expected uint8 {expected}; {_REMEDY}")
        return pixels

    def rows(self, image_ids: Iterable[str]) -> NDArray[np.int64]:
        """(N,) rows of the pixel arrays, in the order of ``image_ids``.

        Raises:
            DataError: The store lacks an image; names it, and why.
        """
        try:
            return np.array([self._row_of[image_id] for image_id in image_ids], dtype=np.int64)
        except KeyError as error:
            image_id = error.args[0]
        reason = next((f": {failure.reason}" for failure in self.failures if failure.image_id == image_id), "")
        raise DataError(f"{self.folder} has no image {image_id}{reason}")

    def is_enlarged(self, size: int) -> pl.Series:
        """(N,) whether each image of the index is smaller than ``size`` in the file, so that it was enlarged."""
        return self.index.select(is_enlarged=pl.max_horizontal("height", "width") < size).to_series()

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return dict(self.index.select("image_id", "row").iter_rows())


def _listed(sizes: Iterable[int]) -> str:
    return ", ".join(map(str, sizes))


def write_store(store: Store) -> None:
    """Write the index, then the description that makes the pixel files a store."""
    store.index.write_parquet(store.folder / INDEX_FILE)
    is_padded = store.index["height"] != store.index["width"]
    description = {
        "definition": DEFINITION,
        "made_with": {"cxrbench": __version__, "opencv": cv2.__version__, "pillow": PIL.__version__},
        "sizes": list(store.sizes),
        "source": store.source,
        "images": store.index.height,
        "padded": int(is_padded.sum()),
        "enlarged": {str(size): int(store.is_enlarged(size).sum()) for size in store.sizes},
        "failures": [asdict(failure) for failure in store.failures],
    }
    write_json(store.folder / STORE_FILE, description)


def open_store(folder: Path) -> Store:
    """Open a finished store.

    Raises:
        DataError: There is none, it is damaged, or its pixels were made by another definition.
    """
    if not (folder / STORE_FILE).is_file():
        raise DataError(f"{folder} is not a store: it has no {STORE_FILE}; cxrbench prepare makes one")
    try:
        description = json.loads((folder / STORE_FILE).read_text(encoding="utf-8"))
        definition, store = description["definition"], _read(folder, description)
    except (OSError, ValueError, LookupError, TypeError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{folder} is damaged ({error!r:.200}); {_REMEDY}") from None
    if definition != DEFINITION:
        raise DataError(
            f"{folder} was made by another definition ({definition!r}) than this version's ({DEFINITION!r}); {_REMEDY}"
        )
    for size in store.sizes:
        store.pixels(size)
    return store


def _read(folder: Path, description: Any) -> Store:
    """The store that the files describe."""
    return Store(
        folder=folder,
        sizes=tuple(description["sizes"]),
        index=pl.read_parquet(folder / INDEX_FILE),
        source=description["source"],
        failures=tuple(Failure(**failure) for failure in description["failures"]),
    )
