"""Which part of the body a DICOM header says a film shows, and from where; whoever warns or refuses asks here.

Source: DICOM PS3.3 C.7.6.1.1.1 (Patient Orientation), C.8.1.1 and C.8.11.5 (view position, view code), PS3.16 CID 4010.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # slow to import, and a bundle's description needs the words only
    import pydicom

CHEST_WORDS = ("CHEST", "THORA", "TORAX", "TORACE", "LUNG")
"""What a Body Part Examined of the chest holds; beside the standard's terms, those of some languages."""
LATERAL = frozenset({"LL", "RL", "LLD", "RLD", "LAT", "LATERAL"})
OBLIQUE = frozenset({"RAO", "LAO", "RPO", "LPO", "LLO", "RLO", "OBLIQUE"})
VIEW_CODES = {
    "272479007": "PA", "R-40888": "PA", "R-10214": "PA", "399348003": "AP", "R-10206": "AP",
    "399067008": "LATERAL", "R-102CD": "LATERAL", "399173006": "LL", "R-10236": "LL",
    "399198007": "RL", "R-10232": "RL", "399182000": "OBLIQUE", "R-102C1": "OBLIQUE",
    "399184004": "OBLIQUE", "R-10238": "OBLIQUE", "399236003": "OBLIQUE", "R-10234": "OBLIQUE",
    "399356000": "RAO", "R-40985": "RAO", "399135007": "LAO", "R-10220": "LAO",
    "399038007": "RPO", "R-10210": "RPO", "399006002": "LPO", "R-10212": "LPO",
}  # fmt: skip
"""Codes of SNOMED CT, and those that the standard had before -> view position."""
DIRECTIONS = frozenset("ALRPHF")
SHOWN = 16
"""Characters of a code word, which no valid one exceeds."""


def code_word(dataset: "pydicom.Dataset", name: str) -> str | None:
    """An element of code words, in upper case without blanks around it; None when absent or empty."""
    value = dataset.get(name)
    return (str(value).strip().upper() or None) if value is not None else None


def view_position(dataset: "pydicom.Dataset") -> str | None:
    """``PA``, ``AP``, ``LL`` ... as stated, or else by the view's code."""
    stated = code_word(dataset, "ViewPosition")
    return stated or VIEW_CODES.get(_first_code(dataset, "ViewCodeSequence") or "")


def shows_other_part(dataset: "pydicom.Dataset") -> bool:
    """Whether the header names a part of the body, and not the chest."""
    part = code_word(dataset, "BodyPartExamined")
    return part is not None and not any(word in part for word in CHEST_WORDS)


def is_not_frontal(dataset: "pydicom.Dataset") -> bool:
    """Whether the header says that a film was taken from the side, or obliquely."""
    return view_position(dataset) in LATERAL | OBLIQUE or _is_from_the_side(dataset)


def projection_warnings(dataset: "pydicom.Dataset") -> tuple[str, ...]:
    """What to say of part and direction beside the view position, which is compared with the training films'."""
    warnings = []
    if shows_other_part(dataset):
        part = str(code_word(dataset, "BodyPartExamined"))[:SHOWN]
        warnings.append(f"body part {part} in the header: the model knows chest films only")
    if _is_from_the_side(dataset) and view_position(dataset) not in LATERAL | OBLIQUE:
        axes = "\\".join(map(str, dataset.PatientOrientation))
        warnings.append(f"no frontal film by the Patient Orientation {axes} in the header")
    return tuple(warnings)


def is_orientation(value: object) -> bool:
    """Whether a Patient Orientation is two directions of a person, as L and F."""
    pair = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []
    return len(pair) == 2 and all(one and set(str(one)) <= DIRECTIONS for one in pair)


def _is_from_the_side(dataset: "pydicom.Dataset") -> bool:
    """Whether rows or columns run mainly from front to back: those of a frontal film never do."""
    value = dataset.get("PatientOrientation")
    return is_orientation(value) and any(str(one)[0] in "AP" for one in value)


def _first_code(dataset: "pydicom.Dataset", name: str) -> str | None:
    """Code value of a sequence's first item."""
    items = dataset.get(name)
    first = items[0] if isinstance(items, Sequence) and not isinstance(items, str) and len(items) else None
    return code_word(first, "CodeValue") if first is not None and hasattr(first, "get") else None
