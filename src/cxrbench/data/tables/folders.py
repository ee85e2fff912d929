"""Where the images of an archive lie: one walk of its folder, however it is nested."""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cxrbench.errors import DataError
from cxrbench.progress import Track, silent

SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm", ".dicom")


@dataclass(frozen=True)
class Found:
    """What a walk found: a path per wanted name, or None; and how many images nobody wanted."""

    paths: tuple[str | None, ...]
    unlisted: int


def find_images(folder: Path, wanted: Sequence[str], *, track: Track = silent) -> Found:
    """Find each wanted image by its name, or by its path where the name has folders in it.

    Args:
        folder: Walked once, links to folders followed, hidden files and folders skipped.
        wanted: Names such as ``00000001_000.png``, or paths such as ``train/p1/view1.jpg``.
        track: Shows progress; counts images.

    Returns:
        Paths relative to ``folder``, with ``/``, in the order of ``wanted``.

    Raises:
        DataError: No such folder, it cannot be read, or a wanted name lies in it twice.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}; give the archive's")
    names = set(map(_name, wanted))
    by_name: defaultdict[str, list[str]] = defaultdict(list)
    images = (path for path in _files(folder) if path.lower().endswith(SUFFIXES) or _name(path) in names)
    for path in track(images, total=len(wanted), label="looking for images"):
        by_name[_name(path)].append(path)
    paths = tuple(_only(path, by_name.get(_name(path), []), folder) for path in wanted)
    return Found(paths, sum(map(len, by_name.values())) - len(set(paths) - {None}))


def _name(path: str) -> str:
    """The last part of a path with ``/``."""
    return path.rpartition("/")[2]


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


def _only(name: str, candidates: list[str], folder: Path) -> str | None:
    """The one candidate that ``name`` means, if any."""
    fits = [path for path in candidates if _ends_alike(path, name)] if "/" in name else candidates
    if len(fits) > 1 and name in fits:
        return name
    if len(fits) > 1:
        raise DataError(f"{folder} holds {name} twice: {fits[0]} and {fits[1]}; keep one, or choose a folder inside")
    return fits[0] if fits else None


def _ends_alike(path: str, name: str) -> bool:
    """Whether one of the two paths is the other's end."""
    return f"/{path}".endswith(f"/{name}") or f"/{name}".endswith(f"/{path}")
