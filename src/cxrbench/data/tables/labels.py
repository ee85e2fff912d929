"""Findings of a label file -> codes of its cells -> one nullable int8 column each."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from cxrbench.config import Column, Labels, Vocabulary
from cxrbench.config.base import unknown
from cxrbench.config.vocabulary import folded
from cxrbench.data.tables.columns import cell_of, find_column, shown_columns
from cxrbench.data.tables.lists import count_names, findings_in, near_separator, one_hot, without_blank
from cxrbench.data.tables.policy import UNSTATED, apply_policy
from cxrbench.data.tables.sheets import LINE
from cxrbench.data.tables.wording import commonest, first_of
from cxrbench.data.tables.words import codes_of, understood
from cxrbench.errors import DataError


@dataclass(frozen=True)
class Coded:
    """What the cells of every row say.

    Attributes:
        codes: One int8 column per finding, in the vocabulary's order: a code of ``policy``, or null for a blank cell.
        stated: The findings that the file has a place for.
        is_excluded: Rows that the format leaves out, by the findings they name.
        notes: What was skipped, with counts.
    """

    codes: pl.DataFrame
    stated: tuple[str, ...]
    is_excluded: pl.Series
    notes: tuple[str, ...]


def parse_labels(
    sheet: pl.DataFrame, labels: Labels, *, vocabulary: Vocabulary, whole: Vocabulary | None = None, where: Path
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Read the findings of every row, cells taken as the format's policy says.

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
    coded = parse_codes(sheet, labels, vocabulary=vocabulary, whole=whole, where=where)
    table, notes = apply_policy(coded.codes, labels.policy, vocabulary=vocabulary, stated=coded.stated)
    return table, (*coded.notes, *notes)


def parse_codes(
    sheet: pl.DataFrame,
    labels: Labels,
    *,
    vocabulary: Vocabulary,
    whole: Vocabulary | None = None,
    own: Vocabulary | None = None,
    where: Path,
) -> Coded:
    """Read what the cells of every row say.

    Arguments and errors are those of ``parse_labels``. ``own`` are the findings that the archive's labels speak of;
    of others a list that does not name them says nothing. None: they speak of all.
    """
    theirs = {} if whole is None else {whole.canonical(name): name for name in vocabulary.names}
    if whole is None or whole == vocabulary or None in theirs or len(theirs) < len(vocabulary.names):
        return _Reading(sheet, labels, vocabulary, where, own).coded()
    coded = _Reading(sheet, labels, whole, where, own).coded()
    ours = {str(name): own for name, own in theirs.items()}
    left_out = [name for name in whole.names if name not in ours]
    note = f"findings that the vocabulary {vocabulary.name!r} leaves out: {first_of(left_out)}"
    return Coded(
        coded.codes.select(pl.col(name).alias(own) for name, own in ours.items()),
        tuple(ours[name] for name in coded.stated if name in ours),
        coded.is_excluded,
        (*coded.notes, *((note,) if left_out else ())),
    )


@dataclass(frozen=True)
class _Reading:
    """One sheet, read with a vocabulary that has all that its labels name, or may skip the others."""

    sheet: pl.DataFrame
    labels: Labels
    vocabulary: Vocabulary
    where: Path
    spoken_of: Vocabulary | None = None

    def coded(self) -> Coded:
        return self._from_lists() if self.labels.columns is None else self._from_columns()

    def own(self, name: str) -> str | None:
        """Our name of the archive's finding, or None."""
        return self.vocabulary.canonical(self._renamed.get(folded(name), name))

    @cached_property
    def _renamed(self) -> dict[str, str]:
        return {folded(theirs): ours for theirs, ours in self.labels.names.items()}

    def _from_lists(self) -> Coded:
        """Cells that list what is present, such as ``Mass|Nodule``; a blank cell states nothing."""
        cells = without_blank(self._list_cells, self.labels.unstated)
        rows_with = dict(cells.drop_nulls().value_counts().iter_rows())
        named = {cell: names for cell in rows_with if (names := self._names_in(cell))}
        counts = count_names(named, rows_with)
        ours = {name: own for name in counts if (own := self.own(name)) is not None}
        excluding = {name for name in counts if folded(name) in set(map(folded, self.labels.exclude))}
        others = {name: count for name, count in counts.items() if name not in ours and name not in excluding}
        self._require_known(others, has_any=bool(ours))
        present = {cell: frozenset(ours[name] for name in names if name in ours) for cell, names in named.items()}
        stated = self._stated
        codes = one_hot(cells, present, stated)
        nothing = [pl.lit(UNSTATED, dtype=pl.Int8).alias(name) for name in self.vocabulary.names if name not in stated]
        codes = codes.with_columns(nothing).select(self.vocabulary.names)
        out = [cell for cell, names in named.items() if excluding.intersection(names)]
        is_excluded = cells.is_in(out).fill_null(value=False)
        return Coded(codes, stated, is_excluded, _skipped(others))

    def _names_in(self, cell: str) -> tuple[str, ...]:
        """The names in a cell, without those that state nothing."""
        nothing = set(map(folded, self.labels.unstated))
        return tuple(name for name in findings_in(cell, self.labels.separator) if folded(name) not in nothing)

    @property
    def _stated(self) -> tuple[str, ...]:
        """Our findings that the archive's labels speak of."""
        if self.spoken_of is None:
            return self.vocabulary.names
        spellings = [text for each in self.spoken_of.findings for text in (each.name, *each.aliases)]
        ours = {self.own(text) for text in (*spellings, *self.labels.names)}
        return tuple(name for name in self.vocabulary.names if name in ours)

    @property
    def _list_cells(self) -> pl.Series:
        return self.sheet[str(find_column(self.sheet, str(self.labels.column)))]

    def _require_known(self, others: Mapping[str, int], *, has_any: bool) -> None:
        """Refuse names that are not in the vocabulary, unless they are to be skipped and some are known."""
        if near := near_separator(others, lambda name: self.own(name) is not None):
            raise DataError(
                f"{self.where}, line {self._first_of({near[0]})[0]}: {near[0]!r} looks like several findings; "
                f"set labels.separator: {near[1]!r} in the table format"
            )
        if others and not self.labels.ignore_others:
            self._refuse_unknown(others)
        if others and not has_any:
            raise DataError(
                f"{self.where}: the vocabulary {self.vocabulary.name!r} knows none of its findings "
                f"({commonest(others, shown=4)}); choose another with --vocabulary, or map them with labels.names"
            )

    def _first_of(self, names: Container[str]) -> tuple[int, str]:
        """The first line whose cell has one of some names, and that name."""
        rows = zip(self.sheet[LINE], self._list_cells, strict=True)
        cells = ((line, findings_in(cell, self.labels.separator)) for line, cell in rows if cell)
        return next((line, name) for line, found in cells for name in found if name in names)

    def _refuse_unknown(self, others: Mapping[str, int]) -> None:
        """Name the first row with an unknown finding, and the names that are valid."""
        line, name = self._first_of(others)
        more = f"; {len(others) - 1} more {'is' if len(others) == 2 else 'are'} unknown" if len(others) > 1 else ""
        raise DataError(
            f"{self.where}, line {line}: {unknown('finding', name, self.vocabulary.names)}{more}; "
            "map others with labels.names in the table format, or set labels.ignore_others"
        )

    def _from_columns(self) -> Coded:
        """One column per finding, with the cells' meanings that the format gives."""
        columns, others = self._columns()
        if not columns:
            raise DataError(
                f"{self.where}: the vocabulary {self.vocabulary.name!r} knows none of the findings that have columns "
                f"({first_of(others)}); choose another with --vocabulary, or map them with labels.names"
            )
        codes = {name: _largest([self._codes(column) for column in of_one]) for name, of_one in columns.items()}
        nothing = pl.lit(UNSTATED, dtype=pl.Int8)
        table = self.sheet.select(codes.get(name, nothing).alias(name) for name in self.vocabulary.names)
        is_excluded = pl.repeat(value=False, n=self.sheet.height, eager=True)
        return Coded(table, tuple(codes), is_excluded, _skipped(dict.fromkeys(others, 0)))

    def _columns(self) -> tuple[dict[str, list[Column]], list[str]]:
        """The columns of each of our findings, and the archive's findings that are none of ours."""
        if isinstance(self.labels.columns, dict):
            given = [(self.own(finding), finding, column) for finding, column in self.labels.columns.items()]
        else:
            names = shown_columns(self.sheet)
            given = [(own, name, Column(name=(name,))) for name in names if (own := self.own(name)) is not None]
        others = [finding for own, finding, _ in given if own is None]
        if others and not self.labels.ignore_others:
            raise DataError(
                f"{self.where}: labels.columns: {unknown('finding', others[0], self.vocabulary.names)}; "
                "map others with labels.names in the table format, or set labels.ignore_others"
            )
        found: dict[str, list[Column]] = {}
        for own, _, column in given:
            if own is not None:
                found.setdefault(own, []).append(column)
        return found, others

    def _codes(self, column: Column) -> pl.Series:
        """One column's cells as codes."""
        cell = cell_of(self.sheet, column)
        if cell is None:
            return pl.repeat(UNSTATED, self.sheet.height, eager=True, dtype=pl.Int8)
        cells = self.sheet.select(cell.alias("cell")).to_series()
        codes, is_strange = codes_of(cells, self.labels)
        if is_strange.any():
            first = is_strange.arg_true()[0]
            raise DataError(
                f"{self.where}, line {self.sheet[LINE][first]}, column {column.name[0]!r}: {cells[first]!r} is none of "
                f"{understood(self.labels)}; say what it means in labels.present, absent, uncertain or unstated"
            )
        return codes


def _largest(codes: list[pl.Series]) -> pl.Series:
    """Of several columns of one finding, the code that says most."""
    return (
        codes[0] if len(codes) == 1 else pl.DataFrame({str(i): each for i, each in enumerate(codes)}).max_horizontal()
    )


def _skipped(others: Mapping[str, int]) -> tuple[str, ...]:
    """Say which findings of the archive are none of ours, with the rows that name them."""
    if not others:
        return ()
    shown = commonest(others) if any(others.values()) else first_of(list(others))
    return (f"findings that are not in the vocabulary were skipped: {shown}",)
