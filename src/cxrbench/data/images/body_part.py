"""Which part of the body a DICOM header says a film shows: the chest, another part, or nothing.

Source: DICOM PS3.3 C.7.6.1 and 10.5 (body part, anatomic region), PS3.16 CID 4031 and annex L.
"""

import re
from typing import TYPE_CHECKING

from cxrbench.data.images.code_strings import code_word, first_item, pattern_of, plain, says_nothing, texts_of

if TYPE_CHECKING:  # slow to import
    import pydicom

CHEST_STEMS = (
    "CHEST", "CHST", "THORA", "THORÁ", "TÓRAX", "TORACE", "TORACIC", "TORÁCIC", "TORAKS", "TORAX",
    "LUNG", "PULM", "POLMON", "POUMON", "POITRINE", "PECHO", "BRUST", "BRÖSTKORG", "BRYSTKASSE", "BORSTKAS",
    "KEUHKO", "RINTAKEH", "PIERSIOW", "PŁUC", "PLÍC", "PLÚC", "HRUDN", "MELLKAS", "PRSNI KOŠ", "GÖĞÜS", "AKCİĞER",
    "ГРУДН", "ГРУДНОЙ", "ЛЕГКИ", "ЛЁГКИ", "ЛЕГЕН", "ΘΩΡΑΚ", "ΠΝΕΥΜΟΝ", "胸", "肺", "흉부", "가슴", "صدر", "חזה",
    "ทรวงอก", "NGỰC",
)  # fmt: skip
"""Beginnings of words for the chest and the lungs in the languages of public films; also within longer words."""
CHEST_WORDS = (
    "CXR", "PCXR", "THX", "KLP", "LONGEN", "PEITO", "PETTO", "TÜDŐ", "PHỔI", "DADA", "PARU", "ОГК", "ОГП", "폐",
)  # fmt: skip
"""The same, where within longer words they would mean something else."""
OTHER_STEMS = (
    "SPIN", "VERTEB", "VERTÉB", "LUMB", "WIRBEL", "COLUMN", "COLUNA", "COLONN", "RACHI", "KRĘGOS", "PÁTEŘ", "ПОЗВОН",
    "脊", "椎", "척추", "BRUSTBEIN", "BRUSTDR", "BRUSTWARZ",
)  # fmt: skip
"""What names of the thoracic spine, the sternum and the breast hold, which are no names of the chest."""
SNOMED = frozenset({"SCT", "SRT", "SNM3", "99SDM"})
"""Schemes of codes whose regions can be told apart; what another one names is left to the Body Part Examined."""
CHEST_REGIONS = frozenset({
    "816094009",  # chest; the others as the standard had them, or of more than the chest
    "51185008", "T-D3000", "43799004", "T-D3200", "39607008", "T-28000", "310787001", "T-D03C3",
    "417437006", "R-FAB52", "416152001", "R-FAB53", "416319003", "R-FAB54", "416550000", "R-FAB55", "416775004",
    "R-FAB56",
})  # fmt: skip
"""Codes of SNOMED CT, and those that the standard had before, of regions that hold the lungs."""
SHOWN = 16
"""Characters of a code string, which no valid one exceeds."""

_CHEST = re.compile(
    "|".join([*map(pattern_of, CHEST_STEMS), rf"(?<![^\W_])(?:{'|'.join(map(pattern_of, CHEST_WORDS))})(?![^\W_])"])
)
_OTHER = re.compile("|".join(map(pattern_of, OTHER_STEMS)))


def shows_other_part(dataset: "pydicom.Dataset") -> bool:
    """Tell whether the header names a part of the body, and not the chest."""
    return _other_part(dataset) is not None or _other_region(dataset) is not None


def part_warnings(dataset: "pydicom.Dataset") -> tuple[str, ...]:
    """Return what to say of a header that names another part."""
    named = (("body part", _other_part(dataset)), ("anatomic region", _other_region(dataset)))
    return tuple(
        f"{kind} {other[:SHOWN]} in the header: the model knows chest films only"
        for kind, other in named
        if other is not None
    )


def names_chest(text: str) -> bool:
    """Tell whether a name of a part of the body, in any of the languages known, is one of the chest."""
    name = plain(text)
    return _CHEST.search(name) is not None and _OTHER.search(name) is None


def _other_part(dataset: "pydicom.Dataset") -> str | None:
    """Return the Body Part Examined where it says something, and not the chest."""
    readings = texts_of(dataset, "BodyPartExamined")
    if not readings or says_nothing(readings[0]) or any(map(names_chest, readings)):
        return None
    return readings[0]


def _other_region(dataset: "pydicom.Dataset") -> str | None:
    """Return the Anatomic Region, by meaning or else by code, where a code of SNOMED states one, and not the chest."""
    region = first_item(dataset, "AnatomicRegionSequence")
    code = code_word(region, "CodeValue")
    if code is None or code in CHEST_REGIONS or code_word(region, "CodingSchemeDesignator") not in SNOMED:
        return None
    meaning = texts_of(region, "CodeMeaning") or [code]
    return None if says_nothing(meaning[0]) or any(map(names_chest, meaning)) else meaning[0]
