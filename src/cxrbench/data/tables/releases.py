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
        DataError: Two formats fit.
    """
    fitting = {name: found for name in format_names() if (found := _recognised(paths, load_format(name))) is not None}
    if len(fitting) > 1:
        names = " and ".join(fitting)
        raise DataError(f"{paths[0]} fits the formats {names}; say which with --format {next(iter(fitting))}")
    for name, found in fitting.items():
        return load_format(name), f"format {name}, recognised by the columns of {found.name}"
    return NIH, None


def _recognised(paths: Sequence[Path], form: TableFormat) -> Path | None:
    """The label file that has all columns that only those of a format have."""
    if not form.recognised_by:
        return None
    try:
        file = main_files(paths, form)[0]
        columns = shown_columns(open_sheet(file, expected=form.recognised_by, rows=1).rows)
    except DataError:
        return None
    wanted = {each for name in form.recognised_by for each in columns_in(name)}
    return file if wanted <= set(columns) else None
