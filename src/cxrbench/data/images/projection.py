"""From where a DICOM header says a film was taken, and how it lies; whoever warns or refuses asks here.

View positions are free text in public films (``PA ERECT``, ``XTABLE LATERAL``, ``POSTERO_ANTERIOR``). They are
compared by words; what is not understood stays as it is written, so that it can be said.

Source: DICOM PS3.3 C.7.6.1.1.1 (Patient Orientation), C.8.1.1 and C.8.11.5 (view position, view code), PS3.16 CID 4010.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from cxrbench.data.images.code_strings import code_word, first_item, plain, texts_of, words_of

if TYPE_CHECKING:  # slow to import, and a bundle's description needs the words only
    import pydicom

FRONTAL = frozenset({"PA", "AP"})
LATERAL = frozenset({"LL", "RL", "LLD", "RLD", "LAT", "LATERAL"})
OBLIQUE = frozenset({"RAO", "LAO", "RPO", "LPO", "LLO", "RLO", "OBLIQUE"})
SPECIAL = frozenset({"DECUBITUS", "SWIMMERS", "LORDOTIC"})
"""Views that are neither, and no usual frontal films either."""
NOT_FRONTAL = LATERAL | OBLIQUE | SPECIAL
VIEW_CODES = {
    "272479007": "PA", "R-40888": "PA", "R-10214": "PA", "399348003": "AP", "R-10206": "AP",
    "399067008": "LATERAL", "R-102CD": "LATERAL", "399173006": "LL", "R-10236": "LL",
    "399198007": "RL", "R-10232": "RL", "399182000": "OBLIQUE", "R-102C1": "OBLIQUE",
    "399184004": "OBLIQUE", "R-10238": "OBLIQUE", "399236003": "OBLIQUE", "R-10234": "OBLIQUE",
    "399356000": "RAO", "R-40985": "RAO", "399135007": "LAO", "R-10220": "LAO",
    "399038007": "RPO", "R-10210": "RPO", "399006002": "LPO", "R-10212": "LPO",
}  # fmt: skip
"""Codes of SNOMED CT, and those that the standard had before -> view position."""
SAID = {
    "LATERAL": r"(?:[LR]T?)?LAT(?:[LR]|S|ERAL\w*|ERO\w*)?|LL|RL|LLD|RLD|X(?:TABLE|TBL|TL|TLAT)|CROSSTABLE|HTL|"
    r"PROFILO?|PERFIL|SEITL\w*|BOCZN\w*|БОК\w*|БІЧН\w*|\w*[側侧]\w*|"
    + plain("측면"),
    "OBLIQUE": r"OBL(?:I[QC]\w*)?|SCHRAG\w*|КОС(?:АЯ|ОИ)|斜\w*|[RL][AP]O|[RL]LO",
    "DECUBITUS": r"[LR]?DECUB\w*",
    "SWIMMERS": r"SWIM\w*",
    "LORDOTIC": r"\w*LORDO\w*|APICAL",
}  # fmt: skip
"""View -> words, as ``words_of`` gives them, that mean it."""
CROSS_TABLE = frozenset({("CROSS", "TABLE"), ("X", "TABLE"), ("X", "TBL")})
AROUND = "CHEST|CXR|PORT|PORTABLE|MOBILE|ERECT|ERE|UPRIGHT|SUPINE|SUP|STANDING|SITTING|GRID|VIEW|BEDSIDE"
"""What is written together with PA and AP."""
TOWARDS = {
    "PA": rf"(?:{AROUND})?PA(?:{AROUND})?|POST\w*ANT\w*|\w*[后後]前\w*",
    "AP": rf"(?:{AROUND})?AP(?:{AROUND})?|ANT\w*POST\w*|\w*前[后後]\w*",
}  # fmt: skip
NO_VIEW = re.compile(
    rf"(?:{AROUND}|FRONT\w*|FACE|F|POSITION|PROJECTION|\w*正[位面]\w*|{plain('정면')}|ПРЯМ\w*|INSP\w*|EXSP\w*|EXP\w*|ONE)\d*"
)
"""Words of frontal films that tell neither PA from AP nor anything else."""
DESCRIPTIONS = {
    "SeriesDescription": "Series Description", "ProtocolName": "Protocol Name",
    "AcquisitionDeviceProcessingDescription": "Acquisition Device Processing Description",
    "PerformedProcedureStepDescription": "Performed Procedure Step Description",
    "StudyDescription": "Study Description",
}  # fmt: skip
"""Elements that are looked at where no view is stated, and their names."""
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

_SAID = {view: re.compile(words) for view, words in SAID.items()}
_TOWARDS = {view: re.compile(rf"(?:{words})\d*") for view, words in TOWARDS.items()}


def view_position(dataset: "pydicom.Dataset") -> str | None:
    """Return the view in the standard's words: as stated, else by its code, else by a description that is not frontal.

    Returns:
        ``PA``, ``AP``, ``LL``, ``LATERAL`` ...; text that is not understood as it is written; None where nothing is
        said, or frontal and no more.
    """
    return _stated(dataset) or _described(dataset)[0]


def named_view(text: str) -> str | None:
    """Return the view that a free text in upper case means, as ``view_position`` does."""
    words = words_of(text)
    if text in NOT_FRONTAL | FRONTAL or not words:
        return text if words else None
    if (view := _not_frontal(words)) is not None:
        return view
    found = _towards(words)
    if len(found) == 1:
        return found.pop()
    return None if found or all(map(NO_VIEW.fullmatch, words)) else text


def is_not_frontal(dataset: "pydicom.Dataset") -> bool:
    """Tell whether the header says that a film was taken from the side, obliquely, or in another special way."""
    return view_position(dataset) in NOT_FRONTAL or _is_from_the_side(dataset)


def projection_warnings(dataset: "pydicom.Dataset") -> tuple[str, ...]:
    """Return what to say of direction beside the view position, which is compared with the training films'."""
    warnings = []
    if (described := _described_warning(dataset)) is not None:
        warnings.append(described)
    if _is_from_the_side(dataset) and view_position(dataset) not in NOT_FRONTAL:
        warnings.append(f"no frontal film by the {_orientation(dataset)}")
    if (turn := TURNS.get(_main_directions(dataset))) is not None:
        warnings.append(f"by the {_orientation(dataset)} the film is {turn}; it is answered as it is stored")
    return tuple(warnings)


def is_orientation(value: object) -> bool:
    """Tell whether a Patient Orientation is two directions of a person, as L and F."""
    pair = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []
    return len(pair) == 2 and all(one and set(str(one)) <= DIRECTIONS for one in pair)


def _stated(dataset: "pydicom.Dataset") -> str | None:
    """Return the view by View Position, or else by View Code."""
    named = [] if code_word(dataset, "ViewPosition") is None else map(named_view, texts_of(dataset, "ViewPosition"))
    views = [view for view in named if view is not None]
    understood = next((view for view in views if view in FRONTAL | NOT_FRONTAL), None)
    coded = VIEW_CODES.get(code_word(first_item(dataset, "ViewCodeSequence"), "CodeValue") or "")
    return understood or (views[0] if views else coded)


def _not_frontal(words: Sequence[str]) -> str | None:
    """Return the view that words name, if it is not frontal; the standard's own words as they are."""
    if (own := next((word for word in words if word in NOT_FRONTAL - {"LAT"}), None)) is not None:
        return own
    if list(words) == ["L"] or not CROSS_TABLE.isdisjoint(pairwise(words)):
        return "LATERAL"
    named = [view for view, pattern in _SAID.items() if any(map(pattern.fullmatch, words))]
    return next((view for view in named if view != "DECUBITUS" or not _is_supine(words)), None)


def _is_supine(words: Sequence[str]) -> bool:
    """Tell whether Spanish or Portuguese words mean a patient on the back: "decubito supino", "decubito dorsal"."""
    has = [any(word.startswith(begin) for word in words) for begin in ("DECUBITO", ("SUPIN", "DORSAL"))]
    return all(has)


def _towards(words: Sequence[str]) -> set[str]:
    """Return PA and AP as far as words name them, also where the word was split."""
    pairs = [first + second for first, second in pairwise(words)]
    split = [pair for pair in pairs if pair in FRONTAL or pair.startswith(("POST", "ANT"))]
    return {view for view, pattern in _TOWARDS.items() if any(map(pattern.fullmatch, [*words, *split]))}


def _described(dataset: "pydicom.Dataset") -> tuple[str | None, str | None]:
    """Return the view, not frontal, that a description names, and which element does; None twice where none does.

    One that names a frontal view, too, describes an examination of several films and says nothing of this one.
    """
    for element in DESCRIPTIONS:
        words = [word for text in texts_of(dataset, element)[:1] for word in words_of(text)]
        view = _not_frontal(words)
        if view is not None and not _names_frontal(words):
            return view, element
    return None, None


def _names_frontal(words: Sequence[str]) -> bool:
    return bool(_towards(words)) or any(word.startswith("FRONT") for word in words)


def _described_warning(dataset: "pydicom.Dataset") -> str | None:
    """Return what to say of a film without stated view whose description is not that of a frontal film."""
    view, element = _described(dataset)
    return (
        None
        if view is None or _stated(dataset) is not None
        else f"no frontal film by its {DESCRIPTIONS[element or '']}: {view}"
    )


def _main_directions(dataset: "pydicom.Dataset") -> tuple[str, ...]:
    """Return where rows and columns mainly lead, as L and F; empty where the header does not say."""
    value = dataset.get("PatientOrientation")
    return tuple(str(one)[0] for one in value) if is_orientation(value) else ()


def _orientation(dataset: "pydicom.Dataset") -> str:
    """Return where rows and columns lead, as messages say it."""
    axes = "\\".join(map(str, dataset.PatientOrientation))
    return f"Patient Orientation {axes} in the header"


def _is_from_the_side(dataset: "pydicom.Dataset") -> bool:
    """Tell whether rows or columns run mainly from front to back: those of a frontal film never do."""
    return not {"A", "P"}.isdisjoint(_main_directions(dataset))
