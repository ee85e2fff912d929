"""Which packaged format label files have: unmistakable columns, or the names of files in a folder."""

from collections.abc import Sequence
from pathlib import Path

from cxrbench.config import TableFormat, columns_in, format_names, load_format, read_format
from cxrbench.data.tables.columns import shown_columns
from cxrbench.data.tables.sheets import open_sheet
from cxrbench.data.tables.sources import main_files
from cxrbench.errors import DataError

__all__ = ["NIH", "TableFormat", "choose_format", "read_format"]

NIH = load_format("nih")
"""Both label versions; the columns that the split header ``OriginalImage[Width,Height]`` makes are not needed."""


def choose_format(paths: Sequence[Path]) -> tuple[TableFormat, str | None]:
    """Return the format that label files have, and a note that says so; NIH's without a note where none is recognised.

    Args:
        paths: Label files, or folders that hold them.

    Raises:
        DataError: Two formats fit, or the file has no column that a packaged format knows it by.
    """
    fitting = _fitting(paths)
    if len(fitting) > 1:
        names = " and ".join(fitting)
        raise DataError(f"{paths[0]} fits the formats {names}; say which with --format {next(iter(fitting))}")
    for name, found in fitting.items():
        return load_format(name), f"format {name}, recognised by the columns of {found.name}"
    _require_some_of_nihs(paths)
    return NIH, None


def _require_some_of_nihs(paths: Sequence[Path]) -> None:
    """Refuse a file that has no column of NIH's, rather than say that it lacks them."""
    file = _main_file(paths, NIH)
    columns = frozenset() if file is None else _columns(file)
    if columns and not columns & _wanted(NIH):
        raise DataError(
            f"{file} has the columns of no packaged format (it has {', '.join(map(repr, sorted(columns)[:8]))}); "
            f"name one with --format ({', '.join(format_names())}), or describe its columns in a YAML"
        )


def fitting_format(paths: Sequence[Path], form: TableFormat) -> str | None:
    """Return the name of the packaged format that label files have, where it is one alone and another than ``form``."""
    if form in map(load_format, format_names()):
        return None
    fitting = [name for name in _fitting(paths) if load_format(name).archive != form.archive]
    return fitting[0] if len(fitting) == 1 else None


def _fitting(paths: Sequence[Path]) -> dict[str, Path]:
    """The packaged formats whose columns a label file has, and that file; of two, the one that asks for more."""
    columns: dict[Path, frozenset[str]] = {}
    fitting: dict[str, Path] = {}
    for name in format_names():
        form = load_format(name)
        file = _main_file(paths, form) if form.recognised_by else None
        if file is not None and _wanted(form) <= columns.setdefault(file, _columns(file)):
            fitting[name] = file
    return {
        name: file
        for name, file in fitting.items()
        if not any(
            _wanted(load_format(name)) < _wanted(load_format(other)) for other in fitting if fitting[other] == file
        )
    }


def _wanted(form: TableFormat) -> frozenset[str]:
    return frozenset(each for name in form.recognised_by for each in columns_in(name))


def _main_file(paths: Sequence[Path], form: TableFormat) -> Path | None:
    """The first label file that a format would read."""
    try:
        return main_files(paths, form)[0]
    except DataError:
        return None


def _columns(file: Path) -> frozenset[str]:
    """The columns of a file; none where it cannot be read."""
    every = {each for name in format_names() for each in _wanted(load_format(name))}
    try:
        return frozenset(shown_columns(open_sheet(file, expected=every, rows=1).rows))
    except DataError:
        return frozenset()
