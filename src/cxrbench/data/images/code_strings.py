"""Short texts of a DICOM header, made comparable: upper case, no accents, in words; what says nothing is absent.

Code strings should hold ASCII only. Public films hold them in many languages, in the film's own character set or in
one that it does not name, with question marks where some system dropped a letter.

Source: DICOM PS3.5 6.1 (character sets) and 6.2 (CS, LO).
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # slow to import, and a bundle's description needs the words only
    import pydicom

    Header = pydicom.Dataset | Mapping[str, object]

SAYS_NOTHING = frozenset({
    "UNKNOWN", "UNKN", "UNK", "UNSPECIFIED", "UNDEFINED", "UNDETERMINED", "NOT SPECIFIED", "NOT DEFINED", "NOT KNOWN",
    "NOT AVAILABLE", "NOT APPLICABLE", "DEFAULT", "OTHER", "OTHERS", "NONE", "NULL", "NIL", "EMPTY", "N A", "NA", "NS",
    "NO VALUE", "ANY", "ALL", "MISC", "MISCELLANEOUS", "GENERAL", "GENERIC", "STANDARD", "NORMAL", "VALUE", "TBD",
    "DESCONOCIDO", "DESCONHECIDO", "UNBEKANNT", "INCONNU", "SCONOSCIUTO", "OTRO", "OUTRO", "AUTRE", "ALTRO",
})  # fmt: skip
"""Texts, as ``words_of`` gives them, that exporters write where they know nothing."""
LIKELY_ENCODINGS = ("gb18030", "cp1251", "shift_jis", "euc_kr", "big5")
"""Of texts whose film names no character set."""
LETTERS = str.maketrans({"Ł": "L", "Ø": "O", "Đ": "D", "ı": "I", "Æ": "AE", "ß": "SS", "\ufffd": "?"})
"""What Unicode does not take apart into a letter and its accent."""
WORDS = re.compile(r"[^\W_]+(?:\?+[^\W_]*)*|\?+[^\W_]+(?:\?+[^\W_]*)*")
"""Letters and digits, with the question marks within that stand for lost letters."""


def code_word(header: "Header", name: str) -> str | None:
    """Return a text element in upper case; None when it is absent, empty, or says nothing (``UNKNOWN``).

    Several values are joined by blanks. Text in another character set than the header's is read as far as it can be.
    """
    readings = texts_of(header, name)
    return readings[0] if readings and not says_nothing(readings[0]) else None


def texts_of(header: "Header", name: str) -> list[str]:
    """Return the readings of a text element in upper case, the likeliest first; empty when it is absent or empty."""
    value = header.get(name)
    several = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
    text = " ".join(str(one).strip() for one in several if one is not None).strip()
    return [reading.strip().upper() for reading in _readings(text, header)] if text else []


def says_nothing(text: str) -> bool:
    """Tell whether a text holds no word, or one that exporters write where they know nothing."""
    words = " ".join(words_of(text))
    return not words or words in SAYS_NOTHING


def words_of(text: str) -> list[str]:
    """Return the words of a text: upper case, accents taken off, a lost letter as ``?``."""
    return WORDS.findall(plain(text))


def plain(text: str) -> str:
    """Return a text in upper case without accents, in any script."""
    decomposed = unicodedata.normalize("NFKD", text.upper().translate(LETTERS))
    return "".join(one for one in decomposed if not unicodedata.combining(one)).translate(LETTERS)


def pattern_of(spelling: str) -> str:
    """Return the regular expression that finds a spelling in ``plain`` text, though its accented letters were lost."""
    return "".join(_letter(one) for one in unicodedata.normalize("NFC", spelling.upper()))


def first_item(header: "Header", name: str) -> Mapping[str, object]:
    """Return a sequence's first item; empty where there is none."""
    items = header.get(name)
    first = items[0] if isinstance(items, Sequence) and not isinstance(items, str | bytes) and len(items) else None
    return first if first is not None and hasattr(first, "get") else {}


def _letter(one: str) -> str:
    """Return the expression of one letter; a Latin one with an accent may have become one or two question marks."""
    base = plain(one)
    is_accented = base != one and ord(one) < 0x250
    return f"(?:{re.escape(base)}|\\?{{1,2}})" if is_accented else re.escape(base)


def _readings(text: str, header: "Header") -> list[str]:
    """Return a text as it may have been meant: pydicom reads code strings, and films without character set, as Latin-1.

    UTF-8 comes first, as other texts hardly ever are valid UTF-8.
    """
    if text.isascii() and "\x1b" not in text:
        return [text]
    try:
        raw = text.encode("latin-1")
    except UnicodeEncodeError:  # decoded already
        return [text]
    declared = _declared(header)
    found = [_decoded(raw, encoding) for encoding in ("utf-8", *(declared or LIKELY_ENCODINGS))]
    valid = [one for one in found if one is not None]
    return [*valid[:1], text, *valid[1:]] if declared or found[0] is not None else [text, *valid]


def _declared(header: "Header") -> list[str]:
    """Return Python's names of the character sets that a header names beside ASCII."""
    from pydicom.charset import python_encoding  # noqa: PLC0415 - slow to import, and seldom needed

    value = header.get("SpecificCharacterSet")
    names = [value] if isinstance(value, str) else list(value) if isinstance(value, Sequence) else []
    found = [python_encoding.get(str(name).strip(), "") for name in names]
    return [name for name in found if name not in {"", "iso8859"}]


def _decoded(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None
