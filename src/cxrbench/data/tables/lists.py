"""Cells that list the findings that are present, such as ``Mass|Nodule`` or ``['pneumonia', ' kyphosis']``."""

import ast
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import polars as pl

from cxrbench.data.tables.policy import ABSENT, PRESENT

BLANK_WORDS = ("nan", "na", "n/a", "null")
OTHER_SEPARATORS = (";", "|", ",")
NUMPY_GAP = re.compile(r"(?<=\w)(['\"])\s+\1(?=\w)")
"""Between two items as NumPy prints an array of text, without a comma."""


def without_blank(cells: pl.Series, words: Iterable[str]) -> pl.Series:
    """Return the cells without the words that stand for nothing; case does not matter."""
    blank = [*BLANK_WORDS, *(word.lower() for word in words)]
    return cells.set(cells.str.to_lowercase().is_in(blank).fill_null(value=False), None)


def findings_in(cell: str, separators: Sequence[str]) -> tuple[str, ...]:
    """Return the names in a cell: the items of a Python, NumPy or JSON list, else what stands between separators."""
    items = _items(cell) if cell[:1] in "[({" and cell[-1:] in "])}" else None
    if items is None:
        items = [cell]
        for mark in separators:
            items = [part for item in items for part in item.split(mark)]
    return tuple(dict.fromkeys(name for item in items if (name := item.strip())))


def _items(cell: str) -> list[str] | None:
    """Return the items of a list in a cell, or None where it is none."""
    for read in (json.loads, lambda text: ast.literal_eval(NUMPY_GAP.sub(r"\1, \1", text))):
        try:
            value = read(cell)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(value, list | tuple | set):
            return [item for item in value if isinstance(item, str)]
    return None


def count_names(named: Mapping[str, Iterable[str]], rows_with: Mapping[str, int]) -> Counter[str]:
    """Return how many rows name each finding, from the names in each distinct cell and the rows that have it."""
    counts: Counter[str] = Counter()
    for cell, names in named.items():
        for name in names:
            counts[name] += rows_with[cell]
    return counts


def one_hot(cells: pl.Series, present: Mapping[str, frozenset[str]], findings: Sequence[str]) -> pl.DataFrame:
    """Return one column of codes per finding: present where a row's cell names it, else absent; blank cells are null.

    Args:
        cells: One per row.
        present: The findings that each distinct cell names; a cell that is not in it counts as blank.
        findings: Names of the columns.
    """
    columns = {name: [PRESENT if name in names else ABSENT for names in present.values()] for name in findings}
    schema = {"#cell": pl.String, **dict.fromkeys(columns, pl.Int8)}
    table = pl.DataFrame({"#cell": list(present), **columns}, schema=schema)
    return cells.alias("#cell").to_frame().join(table, on="#cell", how="left", maintain_order="left").drop("#cell")


def near_separator(others: Iterable[str], is_known: Callable[[str], bool]) -> tuple[str, str] | None:
    """Return an unknown name and what separates known findings in it, or None where no name is several."""
    for name in others:
        for mark in OTHER_SEPARATORS:
            parts = [part.strip() for part in name.split(mark)]
            if len(parts) > 1 and all(is_known(part) for part in parts):
                return name, mark
    return None
