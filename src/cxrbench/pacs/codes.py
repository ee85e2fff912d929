"""What the findings and the parts of a result are called in coded terms; one table, each code with its source.

Where no public code means what the label means, the code is our own, of the scheme 99CXRBENCH.
"""

from dataclasses import dataclass

from highdicom.sr import CodedConcept

from cxrbench.findings import NO_FINDING

PRIVATE_SCHEME = "99CXRBENCH"
PRIVATE_SCHEME_NAME = "cxrbench: terms of its results"

STANDARD = "DICOM PS3.16, CID {}"
"""A context group of the standard lists the code."""
SNOMED = "SNOMED CT, International Edition"


@dataclass(frozen=True)
class FindingCode:
    """One finding in coded terms.

    Attributes:
        value: The code.
        scheme: Its coding scheme: ``SCT`` (SNOMED CT), ``DCM`` or our own.
        meaning: The scheme's own words.
        source: Who lists the code; of our own, why there is none.
    """

    value: str
    scheme: str
    meaning: str
    source: str

    @property
    def concept(self) -> CodedConcept:
        """As content items hold it."""
        return CodedConcept(value=self.value, scheme_designator=self.scheme, meaning=self.meaning)


FINDING_CODES = {
    "Atelectasis": FindingCode("46621007", "SCT", "Atelectasis", SNOMED),
    "Cardiomegaly": FindingCode("8186001", "SCT", "Cardiomegaly", SNOMED),
    "Effusion": FindingCode("60046008", "SCT", "Pleural effusion", STANDARD.format(645)),
    "Infiltration": FindingCode("112121", "DCM", "Infiltrate", STANDARD.format(6104)),
    "Mass": FindingCode("4147007", "SCT", "Mass", STANDARD.format(6104)),
    "Nodule": FindingCode("27925004", "SCT", "Nodule", STANDARD.format(6104)),
    "Pneumonia": FindingCode("233604007", "SCT", "Pneumonia", SNOMED),
    "Pneumothorax": FindingCode("36118008", "SCT", "Pneumothorax", STANDARD.format(6105)),
    "Consolidation": FindingCode("95436008", "SCT", "Lung consolidation", SNOMED),
    "Edema": FindingCode("19242006", "SCT", "Pulmonary edema", STANDARD.format(3700)),
    "Emphysema": FindingCode("87433001", "SCT", "Pulmonary emphysema", SNOMED),
    "Fibrosis": FindingCode("51615001", "SCT", "Fibrosis of lung", SNOMED),
    "Pleural_Thickening": FindingCode(
        "PLEURAL_THICK", PRIVATE_SCHEME, "Pleural thickening", "none that could be verified"
    ),
    "Hernia": FindingCode("39839004", "SCT", "Diaphragmatic hernia", SNOMED),
    NO_FINDING: FindingCode(
        "NO_FINDING", PRIVATE_SCHEME, "None of the listed findings", "the label means: none of the other fourteen"
    ),
}
"""Finding -> code. 'Cardiomegaly' in CID 12248 bears the code of a septal defect, hence the one of SNOMED CT itself."""


def finding_code(finding: str) -> FindingCode:
    """The code of a finding; one of our own made from its name where the table has none."""
    own = "".join(letter if letter.isalnum() else "_" for letter in finding.upper())[:16]
    meaning = finding.replace("_", " ")[:64]
    return FINDING_CODES.get(finding) or FindingCode(own, PRIVATE_SCHEME, meaning, "not among the NIH findings")


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
