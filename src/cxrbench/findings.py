"""Vocabularies of findings, and mappings between the names that releases use.

Source: NIH ChestX-ray14, doi:10.1109/CVPR.2017.369.
"""

NO_FINDING = "No Finding"

PATHOLOGIES = (
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Pleural_Thickening",
    "Hernia",
)

NIH = (*PATHOLOGIES, NO_FINDING)
"""The 15 outputs of the paper: 14 pathologies and "No Finding", NIH names and order."""

# Spellings met in the releases' own files (the box list says Infiltrate) and in other projects' columns.
SYNONYMS = {
    "infiltrate": "Infiltration",
    "pleural thickening": "Pleural_Thickening",
    "pleural effusion": "Effusion",
    "no findings": NO_FINDING,
    "normal": NO_FINDING,
    "nofinding": NO_FINDING,
}


def canonical(name: str, vocabulary: tuple[str, ...] = NIH) -> str | None:
    """The vocabulary's own spelling of ``name``, or None when it is not in the vocabulary.

    Case, surrounding blanks, and ``_``, ``-`` or blank between words do not matter.
    """

    def folded(text: str) -> str:
        return " ".join(text.replace("_", " ").replace("-", " ").lower().split())

    by_folded = {folded(own): own for own in vocabulary}
    wanted = folded(name)
    own = by_folded.get(wanted) or SYNONYMS.get(wanted)
    return own if own in vocabulary else None
