"""Where the images of an archive lie: one walk of its folder, however it is nested."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path

import polars as pl

from cxrbench.errors import DataError
from cxrbench.progress import Track, silent

SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm", ".dicom")
PIECE = 10_000
"""Paths that stand in memory as Python's own strings, which take three times the room, before a column takes them."""


@dataclass(frozen=True)
class Found:
    """What a walk found: a path per wanted name, or null; and how many images nobody wanted."""

    paths: pl.Series
    unlisted: int


def find_images(
    folder: Path, wanted: Sequence[str] | pl.Series | tuple[pl.Series, ...], *, track: Track = silent
) -> Found:
    """Find each wanted image by its name, or by its path where the name has folders in it.

    Args:
        folder: Walked once, links to folders followed, hidden files and folders skipped.
        wanted: Names such as ``00000001_000.png``, or paths such as ``train/p1/view1.jpg``; of several columns of
            names the first under which an image is found counts.
        track: Shows progress; counts images.

    Returns:
        Paths relative to ``folder``, with ``/``, in the order of ``wanted``.

    Raises:
        DataError: No such folder, it cannot be read, or a wanted name lies in it twice.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}; give the archive's")
    choices = [pl.Series(each, dtype=pl.String) for each in _choices(wanted)]
    images = track(_images(folder, pl.concat(choices)), total=choices[0].len(), label="looking for images")
    found = _column(images).to_frame("path")
    paths = _paths(folder, choices[0], found)
    for names in choices[1:]:
        if paths.has_nulls():
            paths = paths.fill_null(_paths(folder, names, found))
    return Found(paths, found.height - paths.drop_nulls().n_unique())


def _choices(wanted: Sequence[str] | pl.Series | tuple[pl.Series, ...]) -> Sequence[Sequence[str] | pl.Series]:
    """The columns of names."""
    return wanted if isinstance(wanted, tuple) and wanted and isinstance(wanted[0], pl.Series) else (wanted,)


def _paths(folder: Path, names: pl.Series, found: pl.DataFrame) -> pl.Series:
    """The path of each name, or null."""
    asked = names.alias("wanted").to_frame().with_row_index("row")
    pairs = _alike(asked, found)
    is_exact, is_doubled = pl.col("path") == pl.col("wanted"), pl.col("row").is_duplicated()
    _require_one(pairs.filter(is_doubled & ~is_exact.any().over("row")), folder)
    chosen = pairs.filter(is_exact | ~is_doubled).select("row", "path")
    return asked.join(chosen, on="row", how="left", maintain_order="left")["path"]


def list_images(folder: Path) -> pl.DataFrame:
    """List the images of a folder.

    Returns:
        One row per image: ``path`` relative to the folder, with ``/``; ``name``; ``stem``, its name without the ending;
        ``folder``, the name of the folder that holds it; ``part``, the name of the folder above that; null without one.

    Raises:
        DataError: No such folder, or it cannot be read.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}; give the archive's")
    paths = _column(path for path in _files(folder) if path.lower().endswith(SUFFIXES)).to_frame("path")
    path = pl.col("path")
    name = path.str.extract(r"([^/]+)$")
    return paths.with_columns(
        name=name,
        stem=name.str.replace(r"\.[^.]*$", ""),
        folder=path.str.extract(r"([^/]+)/[^/]+$"),
        part=path.str.extract(r"([^/]+)/[^/]+/[^/]+$"),
    )


def _images(folder: Path, wanted: pl.Series) -> Iterator[str]:
    """Files whose name ends as that of an image, or is wanted all the same."""
    names, ending = wanted.str.extract(_tail(1)), "|".join(map(re.escape, SUFFIXES))
    others = set(names.filter(~names.str.to_lowercase().str.contains(rf"(?:{ending})$")))
    return (path for path in _files(folder) if path.lower().endswith(SUFFIXES) or path.rpartition("/")[2] in others)


def _column(paths: Iterable[str]) -> pl.Series:
    """The paths as a column, which holds text: a name that is none is that of no image that anybody lists."""
    rest = (os.fsencode(path).decode(errors="replace") for path in paths)
    pieces = [pl.Series([], dtype=pl.String)]
    while piece := list(islice(rest, PIECE)):
        pieces.append(pl.Series(piece, dtype=pl.String))
    return pl.concat(pieces)


def _alike(asked: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Each wanted image beside the files whose path ends as its own does, as far as both go."""
    asked, found = asked.with_columns(depth=_depth("wanted")), found.with_columns(depth=_depth("path"))
    pairs = [pl.DataFrame(schema={"row": asked.schema["row"], "wanted": pl.String, "path": pl.String})]
    for ours, theirs in product(asked["depth"].unique().sort(), found["depth"].unique().sort()):
        tail = _tail(min(ours, theirs))
        left = asked.filter(depth=ours).select("row", "wanted", tail=pl.col("wanted").str.extract(tail))
        right = found.filter(depth=theirs).select("path", tail=pl.col("path").str.extract(tail))
        pairs.append(left.join(right, on="tail", maintain_order="left_right").drop("tail"))
    return pl.concat(pairs)


def _depth(path: str) -> pl.Expr:
    """Parts of a path with ``/``."""
    return pl.col(path).str.count_matches("/", literal=True) + 1


def _tail(parts: int) -> str:
    """What takes the last parts of a path with ``/``."""
    return rf"((?:[^/]*/){{{parts - 1}}}[^/]*)$"


def _require_one(doubled: pl.DataFrame, folder: Path) -> None:
    """Refuse a wanted image that several files may be."""
    for _, of_one in doubled.sort("row", maintain_order=True).group_by("row", maintain_order=True):
        name, (first, second) = of_one["wanted"][0], of_one["path"][:2]
        raise DataError(f"{folder} holds {name} twice: {first} and {second}; keep one, or choose a folder inside")


def _files(folder: Path) -> Iterator[str]:
    """Every file's path relative to ``folder``, in a fixed order."""
    seen: set[tuple[int, int]] = set()
    for root, folders, files in os.walk(folder, followlinks=True, onerror=_refuse):
        status = Path(root).stat()
        if (status.st_dev, status.st_ino) in seen:  # a link back to a folder above
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = Path(root).relative_to(folder).as_posix()
        prefix = "" if inside == "." else inside + "/"
        yield from (prefix + name for name in sorted(files) if not name.startswith("."))


def _refuse(error: OSError) -> None:
    """A folder that cannot be listed would make its images look missing."""
    raise DataError(f"cannot read {error.filename}: {error.strerror}")
