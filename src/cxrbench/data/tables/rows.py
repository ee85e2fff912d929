"""Label files -> rows in our common columns, one per image, each of them checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cxrbench.config import Column, TableFormat, Vocabulary, changed
from cxrbench.config.format import AS_FOUND
from cxrbench.config.mapping import find_mapping
from cxrbench.data.tables.cells import parse_fields
from cxrbench.data.tables.columns import cell_of, find_column, require_columns
from cxrbench.data.tables.labels import Coded, parse_codes
from cxrbench.data.tables.lists import findings_in, without_blank
from cxrbench.data.tables.merging import Merged, merge_rows
from cxrbench.data.tables.sheets import LINE
from cxrbench.data.tables.sources import FILE, PART, read_source
from cxrbench.data.tables.wording import commonest, counted, first_of
from cxrbench.errors import DataError
from cxrbench.runs import TABLE_COLUMNS

FIELDS = ("image_id", "path", "patient_id", "age_years", "born", "seen", "sex", "view", "follow_up")


@dataclass(frozen=True)
class Rows:
    """What label files say.

    Attributes:
        table: One row per image in the file's order; the common columns, ``path`` all null, then the findings.
        names: Names or paths that each row's image file may have, likeliest first.
        notes: Rows read, joined and skipped, names not known, the policy used, and what was treated as unknown.
        vocabulary: The findings, in the order of their columns.
        files: What was read.
        tally: Per finding: cells that say ``present``, ``absent``, ``uncertain``, and ``blank`` ones.
        votes: Per image, finding: how many ``readers`` said ``present`` and ``absent``; None without readers.
        parts: Official part of each image, null where not said; None where the archive has none.
    """

    table: pl.DataFrame
    names: tuple[pl.Series, ...]
    notes: tuple[str, ...]
    vocabulary: Vocabulary
    files: tuple[Path, ...]
    tally: pl.DataFrame
    votes: pl.DataFrame | None
    parts: pl.Series | None


def read_rows(paths: Path | Sequence[Path], form: TableFormat, *, vocabulary: Vocabulary | None = None) -> Rows:
    """Read label files as ``form`` says.

    Args:
        paths: Label files, or folders that hold them.
        form: How they are laid out.
        vocabulary: Findings to read; those of ``form`` unless given.

    Raises:
        DataError: No table, a column that is not there, tables that do not join, an image in several rows where the
            format has one, a row without image or patient, or an unknown finding; the message has the line.
    """
    source = read_source([paths] if isinstance(paths, Path) else paths, form)
    path = source.files[0]
    _require(source.rows, form, path)
    sheet, skipped = _wanted(source.rows, form, path)
    vocabulary = vocabulary or _findings(sheet, form)
    form, whole = _mapped(form, vocabulary)
    own = form.vocabulary if isinstance(form.vocabulary, Vocabulary) else None
    coded = parse_codes(sheet, form.labels, vocabulary=vocabulary, whole=whole, own=own, where=path)
    sheet, coded, excluded = _without_excluded(sheet, coded, form, path)
    cells = _cells(sheet, form)
    _require_filled(cells, form, path)
    merged = merge_rows(cells, coded, form, vocabulary=vocabulary, sheet=sheet, path=path)
    columns = parse_fields(merged.cells, form, path=path)
    table = pl.DataFrame([columns[name].values.alias(name) for name in TABLE_COLUMNS])
    said = (note for name in TABLE_COLUMNS for note in columns[name].notes)
    return Rows(
        table=pl.concat([table, merged.labels], how="horizontal"),
        names=_names(merged, form),
        notes=(
            *source.notes,
            *skipped,
            *excluded,
            *merged.notes,
            *said,
            *_note_ids(table, form),
            *coded.notes,
            *_note_unspoken(coded),
        ),
        vocabulary=vocabulary,
        files=source.files,
        tally=merged.tally,
        votes=merged.votes,
        parts=merged.cells[PART] if form.parts or form.official_parts else None,
    )


def _findings(sheet: pl.DataFrame, form: TableFormat) -> Vocabulary:
    """The findings of the format, or the names that its cells have."""
    if form.vocabulary != AS_FOUND:
        return form.findings
    cells = without_blank(sheet[str(find_column(sheet, str(form.labels.column)))], form.labels.unstated)
    names = {name for cell in cells.drop_nulls().unique() for name in findings_in(cell, form.labels.separator)}
    renamed = {form.labels.names.get(name, name) for name in names}
    return Vocabulary.of(sorted(renamed), name=form.name)


def _mapped(form: TableFormat, vocabulary: Vocabulary) -> tuple[TableFormat, Vocabulary | None]:
    """The format with the packaged mapping into the vocabulary; where there is none, also all findings of its own."""
    if form.vocabulary == AS_FOUND:
        return form, None
    mapping = find_mapping(form.findings.name, vocabulary.name)
    if mapping is None:
        return form, form.findings
    names = {**mapping.as_dict, **form.labels.names}
    return changed(form, {"labels.names": names, "labels.ignore_others": True}, where=form.name), None


def _note_unspoken(coded: Coded) -> list[str]:
    """Say which findings the labels do not speak of."""
    unspoken = [name for name in coded.codes.columns if name not in coded.stated]
    return [f"findings that these labels do not speak of, not stated: {first_of(unspoken)}"] if unspoken else []


def _require(sheet: pl.DataFrame, form: TableFormat, path: Path) -> None:
    """Refuse a file that lacks a column which the format names."""
    columns = [column for name in FIELDS if isinstance(column := getattr(form, name), Column)]
    columns += form.labels.columns.values() if isinstance(form.labels.columns, dict) else ()
    needed = [column.name for column in columns if not column.is_optional]
    needed += [(form.labels.column,)] if form.labels.column else []
    needed += [(name,) for name in (*form.only, *form.skip)]
    needed += [(form.readers.column,)] if form.readers is not None else []
    require_columns(sheet, needed, form=form.name, path=path)
    for field in ("image_id", "patient_id"):
        _require_one_name(sheet, field, getattr(form, field), path)


def _require_one_name(sheet: pl.DataFrame, field: str, column: Column | None, path: Path) -> None:
    """Refuse several names of an id that the file all has: the first alone would put images together."""
    found = [name for name in (column.name if column else ()) if find_column(sheet, name) is not None]
    if len(found) > 1:
        together = "/".join(f"{{{name}}}" for name in found)
        raise DataError(
            f"{path} has all of {', '.join(map(repr, found))}, of which {field} would be the first alone; "
            f'name one, or put them together: {field}: "{together}"'
        )


def _wanted(sheet: pl.DataFrame, form: TableFormat, path: Path) -> tuple[pl.DataFrame, list[str]]:
    """The rows that the format does not skip, and how many it skips by which cells."""
    notes = []
    for column, cells in form.skip.items():
        cell = pl.col(str(find_column(sheet, column)))
        notes += _note_skipped(sheet.filter(cell.is_in(cells)), column)
        sheet = sheet.filter(~cell.is_in(cells).fill_null(value=False))
    for column, cells in form.only.items():
        cell = pl.col(str(find_column(sheet, column)))
        notes += _note_skipped(sheet.filter(~cell.is_in(cells).fill_null(value=False)), column)
        sheet = sheet.filter(cell.is_in(cells))
    if sheet.is_empty():
        conditions = [f"{column!r} in {list(cells)}" for column, cells in form.only.items()]
        conditions += [f"{column!r} not in {list(cells)}" for column, cells in form.skip.items()]
        raise DataError(f"{path} has no row that the {form.name} format reads: only {' and '.join(conditions)}")
    return sheet, notes


def _note_skipped(rows: pl.DataFrame, column: str) -> list[str]:
    """Say how many rows were skipped, by the cell they have."""
    if rows.is_empty():
        return []
    cells = rows[str(find_column(rows, column))].fill_null("blank").value_counts()
    return [f"{counted(rows.height, 'row')} skipped by {column}: {commonest(dict(cells.iter_rows()))}"]


def _without_excluded(
    sheet: pl.DataFrame, coded: Coded, form: TableFormat, path: Path
) -> tuple[pl.DataFrame, Coded, list[str]]:
    """Rows without those whose findings the format excludes."""
    excluded = int(coded.is_excluded.sum())
    if not excluded:
        return sheet, coded, []
    if excluded == sheet.height:
        raise DataError(f"{path}: every row names one of {', '.join(form.labels.exclude)}, which the format excludes")
    keep = ~coded.is_excluded
    kept = Coded(coded.codes.filter(keep), coded.stated, coded.is_excluded.filter(keep), coded.notes)
    note = f"{counted(excluded, 'row')} skipped that {'names' if excluded == 1 else 'name'} "
    return sheet.filter(keep), kept, [note + " or ".join(form.labels.exclude)]


def _cells(sheet: pl.DataFrame, form: TableFormat) -> pl.DataFrame:
    """The cells under our names, as text; all null where the format has no such column."""
    nothing = pl.lit(None, dtype=pl.String)
    fields = {name: getattr(form, name) for name in FIELDS}
    cells = {name: cell_of(sheet, column) if column is not None else None for name, column in fields.items()}
    if form.patient_id is None:
        cells["patient_id"] = cells["image_id"]
    reader = None if form.readers is None else pl.col(str(find_column(sheet, form.readers.column)))
    named = {**cells, "#reader": reader, PART: _part(sheet, form)}
    return sheet.select(LINE, FILE, **{name: nothing if cell is None else cell for name, cell in named.items()})


def _part(sheet: pl.DataFrame, form: TableFormat) -> pl.Expr:
    """The official part of each row: as a column says, or the file."""
    official = form.official_parts
    cell = None if official is None else cell_of(sheet, official.column)
    if official is None or cell is None:
        return pl.col(PART)
    return cell.replace_strict(official.values, default=None, return_dtype=pl.String)


def _require_filled(cells: pl.DataFrame, form: TableFormat, path: Path) -> None:
    """Refuse a row without an image or patient."""
    for name, column in (("image_id", form.image_id), ("patient_id", form.patient_id)):
        lines = cells.filter(pl.col(name).is_null())[LINE]
        if len(lines) and column is not None:
            by = f" by the pattern {column.pattern!r}" if column.pattern else ""
            raise DataError(
                f"{path}, line {lines[0]}: no {name} in column {' or '.join(map(repr, column.name))}{by} "
                f"({len(lines):,} such lines)"
            )


def _names(merged: Merged, form: TableFormat) -> tuple[pl.Series, ...]:
    """The names that each image file may have."""
    name = merged.cells.select(pl.coalesce("path", "image_id")).to_series()
    name = name.str.replace_all("\\", "/", literal=True)  # as Windows writes paths
    return tuple(name + suffix for suffix in form.suffix)


def _note_ids(table: pl.DataFrame, form: TableFormat) -> list[str]:
    """Say that there are no patients, or that two ids may be one that a spreadsheet spelt anew."""
    notes = []
    if form.patient_id is None:
        notes.append(
            "no patient ids: each image counts as a patient of its own, so splits may part one patient's images"
        )
    for name in ("patient_id", "image_id"):
        ids = table.select(id=pl.col(name).unique(maintain_order=True))
        plain = pl.col("id").str.replace(r"\.0+$", "").str.strip_chars_start("0")
        alike = ids.with_columns(plain=plain).filter(pl.col("plain").is_duplicated()).sort("plain", maintain_order=True)
        if alike.height:
            shown = first_of([repr(each) for each in alike["id"]])
            notes.append(f"{counted(alike.height, name)} differ only by zeros or '.0' ({shown}) and are kept apart")
    return notes
