"""Findings of a label file -> one nullable int8 column each: 1 present, 0 absent, null not stated."""

from pathlib import Path

import polars as pl

from cxrbench.config import Vocabulary
from cxrbench.config.base import unknown
from cxrbench.data.tables.releases import Labels
from cxrbench.data.tables.sheets import LINE
from cxrbench.data.tables.wording import first_of, images
from cxrbench.errors import DataError


def parse_labels(
    sheet: pl.DataFrame, labels: Labels, *, vocabulary: Vocabulary, whole: Vocabulary | None = None, where: Path
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Read the findings of every row.

    Args:
        sheet: Cells as text, with their lines.
        labels: Where the findings stand.
        vocabulary: The findings to read.
        whole: All findings of the format; where the vocabulary is a part of these, the labels may name the others.
        where: The file, for messages.

    Returns:
        One int8 column per finding of the vocabulary, in its order, and notes. A finding that has no column is null.

    Raises:
        DataError: A finding that is not in the vocabulary, or a cell with another meaning than the format gives.
    """
    theirs = {} if whole is None else {whole.canonical(name): name for name in vocabulary.names}
    if whole is None or whole == vocabulary or None in theirs or len(theirs) < len(vocabulary.names):
        return _parse(sheet, labels, vocabulary, where)
    table, notes = _parse(sheet, labels, whole, where)
    left_out = [name for name in whole.names if name not in theirs]
    skipped = (
        (f"findings that the vocabulary {vocabulary.name!r} leaves out: {first_of(left_out)}",) if left_out else ()
    )
    return table.select(pl.col(str(name)).alias(own) for name, own in theirs.items()), (*notes, *skipped)


def _parse(
    sheet: pl.DataFrame, labels: Labels, vocabulary: Vocabulary, where: Path
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Read the findings of a vocabulary, which has all that the labels name."""
    read = _from_lists if labels.columns is None else _from_columns
    table, notes = read(sheet, labels, vocabulary, where)
    stated = [
        table[name] if name in table.columns else pl.Series(name, [None] * sheet.height, dtype=pl.Int8)
        for name in vocabulary.names
    ]
    return pl.DataFrame(stated), (*notes, *_contradictions(pl.DataFrame(stated), vocabulary))


def _from_lists(
    sheet: pl.DataFrame, labels: Labels, vocabulary: Vocabulary, where: Path
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Cells that list what is present, such as ``Mass|Nodule``; a blank cell states nothing."""
    cells = sheet[str(labels.column)]
    distinct = cells.drop_nulls().unique()
    present = {cell: _findings_in(cell, labels, vocabulary) for cell in distinct}
    others = {name for names in present.values() for name in names} - set(vocabulary.names)
    if others and not labels.ignore_others:
        _refuse_unknown(sheet, labels, sorted(others), vocabulary, where)
    codes = cells.to_frame().join(
        _one_hot(cells.name, present, vocabulary.names), on=cells.name, how="left", maintain_order="left"
    )
    return codes.drop(cells.name), _notes(cells.null_count(), sorted(others))


def _findings_in(cell: str, labels: Labels, vocabulary: Vocabulary) -> set[str]:
    """Findings that a cell names, in our spelling where they are ours."""
    names = (name.strip() for name in cell.split(labels.separator))
    return {_ours(name, labels, vocabulary) or name for name in names if name}


def _ours(name: str, labels: Labels, vocabulary: Vocabulary) -> str | None:
    """Our name of the release's finding, or None."""
    return vocabulary.canonical(labels.names.get(name, name))


def _one_hot(key: str, present: dict[str, set[str]], known: tuple[str, ...]) -> pl.DataFrame:
    """One row per distinct cell: the cell, then 1 or 0 per finding."""
    columns = {name: [int(name in names) for names in present.values()] for name in known}
    return pl.DataFrame({key: list(present), **columns}, schema={key: pl.String, **dict.fromkeys(known, pl.Int8)})


def _refuse_unknown(
    sheet: pl.DataFrame, labels: Labels, others: list[str], vocabulary: Vocabulary, where: Path
) -> None:
    """Name the first row with an unknown finding, and the names that are valid."""
    rows = sheet.select(LINE, str(labels.column)).iter_rows()
    line, name = next(
        (line, name)
        for line, cell in rows
        for name in others
        if cell and name in (part.strip() for part in cell.split(labels.separator))
    )
    more = f"; {len(others) - 1} more {'is' if len(others) == 2 else 'are'} unknown" if len(others) > 1 else ""
    raise DataError(
        f"{where}, line {line}: {unknown('finding', name, vocabulary.names)}{more}; "
        "map others with labels.names in the table format, or set labels.ignore_others"
    )


def _notes(blank: int, others: list[str]) -> tuple[str, ...]:
    """Say what the label cells did not state, and what was skipped."""
    unstated = f"{images(blank)} without labels, treated as not stated"
    skipped = f"findings that are not in the vocabulary were skipped: {first_of(others)}"
    return (*((unstated,) if blank else ()), *((skipped,) if others else ()))


def _from_columns(
    sheet: pl.DataFrame, labels: Labels, vocabulary: Vocabulary, where: Path
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """One column per finding, with the cells' meanings that the format gives."""
    meaning: dict[str, int | None] = {
        **dict.fromkeys(map(_folded, labels.unstated), None),
        **dict.fromkeys(map(_folded, labels.absent), 0),
        **dict.fromkeys(map(_folded, labels.present), 1),
    }
    parsed, others = [], []
    for finding, column in (labels.columns or {}).items():
        if (ours := _ours(finding, labels, vocabulary)) is not None:
            parsed.append(_column(sheet, column, meaning, where).alias(ours))
        elif labels.ignore_others:
            others.append(finding)
        else:
            raise DataError(
                f"{where}: labels.columns: {unknown('finding', finding, vocabulary.names)}; "
                "map others with labels.names in the table format, or set labels.ignore_others"
            )
    return pl.DataFrame(parsed), _notes(0, others)


def _column(sheet: pl.DataFrame, column: str, meaning: dict[str, int | None], where: Path) -> pl.Series:
    """One finding's cells as 1, 0 or null."""
    cells = sheet[column]
    folded = {cell: _folded(cell) for cell in cells.drop_nulls().unique()}
    if strange := [cell for cell, short in folded.items() if short not in meaning]:
        line = sheet.filter(pl.col(column).is_in(strange))[LINE][0]
        cell = sheet.filter(pl.col(LINE) == line)[column][0]
        raise DataError(
            f"{where}, line {line}, column {column!r}: {cell!r} is none of {', '.join(map(repr, meaning))}; "
            "say what it means in labels.present, labels.absent or labels.unstated"
        )
    codes = {cell: meaning[short] for cell, short in folded.items()}
    return cells.replace_strict(codes, default=None, return_dtype=pl.Int8)


def _folded(cell: str) -> str:
    """Lower case, and numbers in their shortest form: ``1.0`` and ``1`` mean the same."""
    try:
        return f"{float(cell):g}"
    except ValueError:
        return cell.lower()


def _contradictions(table: pl.DataFrame, vocabulary: Vocabulary) -> tuple[str, ...]:
    """A note when the label that says that nothing is present stands beside a finding."""
    none = vocabulary.none_present
    others = [name for name in vocabulary.pathologies if name != none]
    if none is None or not others:
        return ()
    both = table.select(((pl.col(none) == 1) & (pl.max_horizontal(others) == 1)).sum()).item()
    return (f'{images(both)} with "{none}" beside a finding',) if both else ()
