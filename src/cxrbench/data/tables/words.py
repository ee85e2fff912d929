"""Words in the cells of one finding's column -> codes: present, uncertain, absent, unstated, or blank."""

import polars as pl

from cxrbench.config import Labels
from cxrbench.data.tables.policy import ABSENT, PRESENT, UNCERTAIN, UNSTATED

USUAL_WORDS = {
    PRESENT: ("1", "true", "yes", "y", "t", "positive", "pos", "present", "x", "+", "ja", "oui", "si", "sí"),
    ABSENT: ("0", "false", "no", "n", "f", "negative", "neg", "absent", "nein", "non"),
    UNCERTAIN: ("-1", "uncertain", "u", "?", "unsure", "equivocal", "indeterminate"),
    None: ("nan", "na", "n/a", "null", "none"),
}
"""Cells that need no explanation, folded; None: blank."""

REST = "*"
"""Among the words of a meaning: all cells that no other meaning has."""

BLANK = ""
"""The word for a blank cell in a format."""

STRANGE = -1
"""Code of a cell that has no meaning."""


def codes_of(cells: pl.Series, labels: Labels) -> tuple[pl.Series, pl.Series]:
    """Return the codes of a column's cells, and which of them have no meaning.

    Args:
        cells: Text; null where blank.
        labels: The format's own words.

    Returns:
        int8 codes of ``policy``, null where blank; and a Boolean column.
    """
    meaning, rest = _meanings(labels)
    codes = {each: meaning.get(_folded(each), rest) for each in cells.drop_nulls().unique()}
    read = cells.replace_strict(codes, default=None, return_dtype=pl.Int8)
    read = read.fill_null(meaning[BLANK]) if BLANK in meaning else read
    return read, (read == STRANGE).fill_null(value=False)


def understood(labels: Labels) -> str:
    """Return the words that a column's cells may hold, for messages."""
    usual = {word for words in USUAL_WORDS.values() for word in words} - {"0", "1", "-1"}
    own = [repr(word) for word in _meanings(labels)[0] if word not in usual]
    return f"{', '.join(own)}, yes, no and the like"


def _meanings(labels: Labels) -> tuple[dict[str, int | None], int | None]:
    """The codes of cells, folded, and that of all others; the format's own words go before the usual ones."""
    meaning: dict[str, int | None] = {word: code for code, words in USUAL_WORDS.items() for word in words}
    own = {UNSTATED: labels.unstated, UNCERTAIN: labels.uncertain, ABSENT: labels.absent, PRESENT: labels.present}
    rest: int | None = STRANGE
    for code, words in own.items():
        meaning |= {_folded(word): code for word in words if word != REST}
        rest = code if REST in words else rest
    return meaning, rest


def _folded(cell: str) -> str:
    """Lower case, and numbers in their shortest form: ``1.0``, ``1,0`` and ``1`` mean the same."""
    try:
        return f"{float(cell.replace(',', '.')):g}"
    except ValueError:
        return cell.strip().lower()
