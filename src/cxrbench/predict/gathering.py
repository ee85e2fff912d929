"""Files, folders, patterns and lists -> requests."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl

from cxrbench.data.images.content import is_image
from cxrbench.data.tables.cells import OLDEST, Parsed, known, parse_ages, parse_sexes, parse_views
from cxrbench.data.tables.sheets import LINE, read_sheet
from cxrbench.errors import DataError
from cxrbench.evaluate.matching import image_column
from cxrbench.predict.preparation import Request

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dcm", ".dicom"}
DIRECTORY = "DICOMDIR"
"""The index of a DICOM medium, a DICOM file itself."""
LIST = ".csv"
KNOWN = {"age": ("age", "patient age", "age_years"), "sex": ("sex", "patient sex", "patient gender"),
         "view": ("view", "view position")}  # fmt: skip
PARSERS: dict[str, Callable[[pl.Series], Parsed]] = {
    "age": parse_ages,
    "sex": partial(parse_sexes, words={}),
    "view": partial(parse_views, words={}),
}
EXPECTED = {
    "age": f"write years from 0 to {OLDEST}, or as DICOM does (062Y, 018M)",
    "sex": "write F or M",
    "view": "write PA, AP or another view position",
}


def gather(
    paths: Sequence[str],
    *,
    age_years: float | None = None,
    sex: str | None = None,
    view: str | None = None,
    left_out: Counter[str] | None = None,
) -> tuple[Request, ...]:
    """Requests for files, folders (with all below them), patterns (``*``, ``**``) and CSV lists, each file once.

    In a folder, files with the suffix of an image count, and others whose content is one. A file that two paths lead to
    keeps its place, and what was said last of age, sex and view position.

    Args:
        paths: As the user gave them.
        age_years: Of all films, over list and header.
        sex: Likewise.
        view: Likewise.
        left_out: Counts the other files of folders, by suffix.

    Raises:
        DataError: A path leads to no film, or a list cannot be used.
    """
    found: dict[str, Request] = {}
    for request in find(paths, age_years=age_years, sex=sex, view=view, left_out=left_out):
        file = os.path.realpath(request.path)
        found[file] = _updated(found[file], request) if file in found else request
    return tuple(found.values())


def _updated(request: Request, later: Request) -> Request:
    """The same file, with what was said of it later."""
    return replace(
        request,
        age_years=request.age_years if later.age_years is None else later.age_years,
        sex=later.sex or request.sex,
        view=later.view or request.view,
    )


def find(
    paths: Sequence[str],
    *,
    age_years: float | None = None,
    sex: str | None = None,
    view: str | None = None,
    left_out: Counter[str] | None = None,
) -> Iterator[Request]:
    """As ``gather``, one by one as they are found, however many: what two paths lead to comes, and counts, twice."""
    counted: Counter[str] = Counter() if left_out is None else left_out
    for request in (request for path in paths for request in _under(path, counted)):
        yield replace(
            request,
            age_years=request.age_years if age_years is None else age_years,
            sex=sex or request.sex,
            view=view or request.view,
        )


def listed_kinds(left_out: Counter[str]) -> str:
    """Kinds of files in words, the most frequent first: ``3 .bmp, 1 without suffix``."""
    return ", ".join(f"{count:,} {kind or 'without suffix'}" for kind, count in left_out.most_common())


def _under(given: str, left_out: Counter[str]) -> Iterator[Request]:
    """Requests of one argument."""
    path = Path(given).expanduser()
    if path.is_dir():
        yield from _in_folder(path, left_out)
    elif path.suffix.lower() == LIST and path.is_file():
        yield from _listed(path)
    elif path.exists():
        yield Request(path=path)
    else:
        yield from _matching(given)


def _in_folder(folder: Path, left_out: Counter[str]) -> Iterator[Request]:
    others: Counter[str] = Counter()
    films = _films_below(folder, others)
    if (first := next(films, None)) is None:
        found = f", found {listed_kinds(others)}" if others else ""
        raise DataError(f"{folder}: no image in it or below; expected PNG, JPEG, TIFF or DICOM files{found}")
    yield first
    yield from films
    left_out.update(others)


def _films_below(folder: Path, others: Counter[str]) -> Iterator[Request]:
    """Films of a folder; visible files that are none are counted."""
    for path in _below(folder):
        if _is_film(path):
            yield Request(path=path)
        elif not path.name.startswith(".") and path.name.upper() != DIRECTORY:
            others[path.suffix.lower()] += 1


def _below(folder: Path) -> Iterator[Path]:
    """What is no folder in a folder and all below, sorted; of a large archive, one folder's names are in memory."""
    with os.scandir(folder) as entries:
        names = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    for name, is_folder in names:
        yield from _below(folder / name) if is_folder else (folder / name,)


def _is_film(path: Path) -> bool:
    """Return whether a file of a folder is meant to be answered."""
    if path.name.startswith(".") or path.name.upper() == DIRECTORY or not path.is_file():
        return False
    return path.suffix.lower() in SUFFIXES or is_image(path)


def _matching(pattern: str) -> Iterator[Request]:
    path = Path(pattern).expanduser()
    found = sorted(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor))))
    if not found:
        raise DataError(f"{pattern}: no such file or folder, and no file matches it")
    films = [path for path in found if path.is_file()]
    if not films:
        raise DataError(f"{pattern}: no film found, only folders match it; {path / '**' / '*'} matches what is in them")
    yield from (Request(path=path) for path in films)


def _listed(path: Path) -> Iterator[Request]:
    """Requests of a CSV: a column of file names, relative to the CSV; age, sex and view position where it has them."""
    sheet = read_sheet(path)
    names = sheet[image_column(sheet, path)].str.strip_chars()
    if (blank := names.is_null() | (names == "")).any():
        raise DataError(f"{path}, line {sheet[LINE].filter(blank)[0]}: the file name is blank")
    _require_each_once([path.parent / name for name in names], sheet[LINE], path)
    columns = [_values(sheet, what, parse, path) for what, parse in PARSERS.items()]
    for name, age, sex, view in zip(names, *columns, strict=True):
        yield Request(path=path.parent / name, age_years=age, sex=sex, view=view)


def _require_each_once(films: Sequence[Path], lines: pl.Series, path: Path) -> None:
    """Refuse a list that names a film twice: which line would count?"""
    seen: dict[str, int] = {}
    for film, line in zip(films, lines, strict=True):
        if (first := seen.setdefault(os.path.realpath(film), line)) != line:
            raise DataError(f"{path}, lines {first} and {line}: both name {film}; keep one")


def _values(sheet: pl.DataFrame, what: str, parse: Callable[[pl.Series], Parsed], path: Path) -> pl.Series:
    """An optional column's values; what cannot be read is refused, not taken for unknown."""
    cells = _column(sheet, what)
    values = parse(cells).values
    strange = known(cells).is_not_null() & values.is_null()
    if strange.any():
        raise DataError(
            f"{path}, line {sheet[LINE].filter(strange)[0]}: {what} {cells.filter(strange)[0]!r} cannot be read "
            f"({strange.sum()} such rows); {EXPECTED[what]}, and leave it blank where it is not known"
        )
    return values


def _column(sheet: pl.DataFrame, what: str) -> pl.Series:
    """The cells of an optional column; nulls where the list has none."""
    by_folded = {" ".join(name.lower().replace("_", " ").split()): name for name in sheet.columns}
    for name in KNOWN[what]:
        if name.replace("_", " ") in by_folded:
            return sheet[by_folded[name.replace("_", " ")]].cast(pl.String)
    return pl.Series(what, [None] * sheet.height, dtype=pl.String)
