"""What the parts of a result are called in coded terms; findings have their codes from the vocabulary."""

from collections.abc import Iterable

from highdicom.sr import CodedConcept

from cxrbench.config import Code
from cxrbench.config.finding import PRIVATE_SCHEME

PRIVATE_SCHEME_NAME = "cxrbench: terms of its results"

OTHERS_SCHEME_NAME = "private scheme of the vocabulary"
PRIVATE = "99"
"""Beginning of the designators of private schemes (DICOM PS3.3, table 8.1-1)."""


def concept_of(code: Code) -> CodedConcept:
    """Return a finding's code as content items hold it."""
    return CodedConcept(value=code.value, scheme_designator=code.scheme, meaning=code.meaning)


def private_schemes(codes: Iterable[Code]) -> dict[str, str]:
    """Return the private schemes that a report with these codes uses, and their names."""
    others = {code.scheme: OTHERS_SCHEME_NAME for code in codes if code.scheme.startswith(PRIVATE)}
    return {**others, PRIVATE_SCHEME: PRIVATE_SCHEME_NAME}


def _own(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value=value, scheme_designator=PRIVATE_SCHEME, meaning=meaning)


REACHES_THRESHOLD = _own("REACHES", "Reaches decision threshold")
THRESHOLD = _own("THRESHOLD", "Decision threshold")
NOTICE = _own("NOTICE", "Notice")
WARNING = _own("WARNING", "Warning")
MODEL_OUTPUT = _own("MODEL_OUTPUT", "Output of a classifier, not calibrated")

CHEST_FILM = CodedConcept(value="399208008", scheme_designator="SCT", meaning="Plain chest X-ray")
QUALITATIVE_EVALUATIONS = CodedConcept(
    value="C0034375", scheme_designator="UMLS", meaning="Qualitative Evaluations"
)  # TID 1500
