"""What a store is made from and what it will hold, known before a single image is decoded."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from cxrbench.data.decoding import Chunk
from cxrbench.data.geometry import DEFINITION
from cxrbench.data.tables import Archive, present
from cxrbench.files import digest_json, digest_rows

CHUNK = 32
"""Images decoded together: about half a second of work, which is what a killed process loses."""


@dataclass(frozen=True)
class Plan:
    """Images in the order of the store's rows, and sizes.

    Attributes:
        folder: Where the archive lies.
        images: ``image_id``, ``path`` and ``bytes``, sorted by ``image_id``.
        sizes: Sides of the squares, pixels, ascending.
    """

    folder: Path
    images: pl.DataFrame
    sizes: tuple[int, ...]

    @cached_property
    def source(self) -> str:
        """Digest of the images: ids, paths and file sizes."""
        return digest_rows(self.images.iter_rows())

    @property
    def chunks(self) -> list[Chunk]:
        """The images in portions."""
        return [self._chunk(start) for start in range(0, self.images.height, CHUNK)]

    def _chunk(self, start: int) -> Chunk:
        rows = self.images[start : start + CHUNK]
        return Chunk(start, self.folder, tuple(rows["path"]), digest_json(rows.rows()))

    @property
    def identity(self) -> dict[str, object]:
        """What unfinished work must agree on to be gone on with; single files may be replaced meanwhile."""
        ids = digest_rows(self.images["image_id"])
        return {"definition": DEFINITION, "sizes": list(self.sizes), "images": self.images.height, "ids": ids}


def plan_store(archive: Archive, sizes: Sequence[int]) -> Plan:
    """Plan the store of an archive's images that are at hand."""
    if not sizes or min(sizes) < 1:
        raise ValueError(f"sizes must be positive; got {tuple(sizes)}")
    images = present(archive).select("image_id", "path").sort("image_id")
    lengths = [_length(archive.folder / path) for path in images["path"]]
    sized = images.with_columns(pl.Series("bytes", lengths, dtype=pl.Int64))
    return Plan(archive.folder, sized, tuple(sorted(set(sizes))))


def _length(path: Path) -> int:
    """Bytes of a file; -1 when it cannot be looked at, which decoding will report."""
    try:
        return path.stat().st_size
    except OSError:
        return -1
