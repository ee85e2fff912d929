"""Which part of the body a DICOM header says a film shows, and from where; whoever warns or refuses asks here.

Source: DICOM PS3.3 C.7.6.1.1.1 (Patient Orientation), C.8.1.1 and C.8.11.5 (view position, view code), 10.5 (anatomic
region), PS3.16 CID 4010, CID 4031.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # slow to import, and a bundle's description needs the words only
    import pydicom

CHEST_WORDS = ("CHEST", "THORA", "TORAX", "TORACE", "LUNG")
"""What a Body Part Examined of the chest holds; beside the standard's terms, those of some languages."""
SPINE_WORDS = ("SPIN", "VERTEB", "LUMB")
"""What names of the thoracic spine hold, which are no names of the chest."""
SNOMED = frozenset({"SCT", "SRT", "SNM3", "99SDM"})
"""Schemes of codes whose regions can be told apart; what another one names is left to the Body Part Examined."""
CHEST_REGIONS = frozenset({
    "816094009",  # chest; the others as the standard had them, or of more than the chest
    "51185008", "T-D3000", "43799004", "T-D3200", "39607008", "T-28000", "310787001", "T-D03C3",
    "417437006", "R-FAB52", "416152001", "R-FAB53", "416319003", "R-FAB54", "416550000", "R-FAB55", "416775004",
    "R-FAB56",
})  # fmt: skip
"""Codes of SNOMED CT, and those that the standard had before, of regions that hold the lungs."""
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
TURNS: dict[tuple[str, ...], str] = {
    ("R", "F"): "mirrored left to right",
    ("R", "H"): "upside down",
    ("L", "H"): "mirrored top to bottom",
    ("H", "L"): "turned by 90 degrees clockwise",
    ("F", "R"): "turned by 90 degrees counterclockwise",
    ("H", "R"): "mirrored left to right, then turned by 90 degrees clockwise",
    ("F", "L"): "mirrored left to right, then turned by 90 degrees counterclockwise",
}
"""Where rows and columns lead -> how a frontal film differs from the usual: rows to the patient's left, columns to the
feet."""
SHOWN = 16
"""Characters of a code word, which no valid one exceeds."""


def code_word(dataset: "pydicom.Dataset | Mapping[str, object]", name: str) -> str | None:
    """An element of code words, in upper case without blanks around it; None when absent or empty."""
    value = dataset.get(name)
    return (str(value).strip().upper() or None) if value is not None else None


def view_position(dataset: "pydicom.Dataset") -> str | None:
    """``PA``, ``AP``, ``LL`` ... as stated, or else by the view's code."""
    stated = code_word(dataset, "ViewPosition")
    return stated or VIEW_CODES.get(code_word(_first_item(dataset, "ViewCodeSequence"), "CodeValue") or "")


def shows_other_part(dataset: "pydicom.Dataset") -> bool:
    """Whether the header names a part of the body, and not the chest."""
    return _other_part(dataset) is not None or _other_region(dataset) is not None


def is_not_frontal(dataset: "pydicom.Dataset") -> bool:
    """Whether the header says that a film was taken from the side, or obliquely."""
    return view_position(dataset) in LATERAL | OBLIQUE or _is_from_the_side(dataset)


def projection_warnings(dataset: "pydicom.Dataset") -> tuple[str, ...]:
    """What to say of part and direction beside the view position, which is compared with the training films'."""
    warnings = []
    for kind, other in (("body part", _other_part(dataset)), ("anatomic region", _other_region(dataset))):
        if other is not None:
            warnings.append(f"{kind} {other[:SHOWN]} in the header: the model knows chest films only")
    if _is_from_the_side(dataset) and view_position(dataset) not in LATERAL | OBLIQUE:
        warnings.append(f"no frontal film by the {_orientation(dataset)}")
    if (turn := TURNS.get(_main_directions(dataset))) is not None:
        warnings.append(f"by the {_orientation(dataset)} the film is {turn}; it is answered as it is stored")
    return tuple(warnings)


def is_orientation(value: object) -> bool:
    """Whether a Patient Orientation is two directions of a person, as L and F."""
    pair = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []
    return len(pair) == 2 and all(one and set(str(one)) <= DIRECTIONS for one in pair)


def _main_directions(dataset: "pydicom.Dataset") -> tuple[str, ...]:
    """Where rows and columns mainly lead, as L and F; empty where the header does not say."""
    value = dataset.get("PatientOrientation")
    return tuple(str(one)[0] for one in value) if is_orientation(value) else ()


def _orientation(dataset: "pydicom.Dataset") -> str:
    """Where rows and columns lead, as messages say it."""
    axes = "\\".join(map(str, dataset.PatientOrientation))
    return f"Patient Orientation {axes} in the header"


def _is_from_the_side(dataset: "pydicom.Dataset") -> bool:
    """Whether rows or columns run mainly from front to back: those of a frontal film never do."""
    return not {"A", "P"}.isdisjoint(_main_directions(dataset))


def _other_part(dataset: "pydicom.Dataset") -> str | None:
    """The Body Part Examined where it is stated, and not the chest."""
    part = code_word(dataset, "BodyPartExamined")
    return None if part is None or _is_chest(part) else part


def _other_region(dataset: "pydicom.Dataset") -> str | None:
    """The Anatomic Region, by its meaning or else its code, where a code of SNOMED states one, and not the chest."""
    region = _first_item(dataset, "AnatomicRegionSequence")
    code = code_word(region, "CodeValue")
    if code is None or code in CHEST_REGIONS or code_word(region, "CodingSchemeDesignator") not in SNOMED:
        return None
    meaning = code_word(region, "CodeMeaning") or code
    return None if _is_chest(meaning) else meaning


def _is_chest(words: str) -> bool:
    """Whether a name in upper case is one of the chest."""
    return any(word in words for word in CHEST_WORDS) and not any(word in words for word in SPINE_WORDS)


def _first_item(dataset: "pydicom.Dataset", name: str) -> Mapping[str, object]:
    """A sequence's first item; empty where there is none."""
    items = dataset.get(name)
    first = items[0] if isinstance(items, Sequence) and not isinstance(items, str) and len(items) else None
    return first if first is not None and hasattr(first, "get") else {}
