"""Codes of findings."""

import pytest
from pydicom.sr._concepts_dict import concepts

from cxrbench.findings import NIH
from cxrbench.pacs.codes import FINDING_CODES, PRIVATE_SCHEME, STANDARD, finding_code


def test_every_finding_has_a_code_of_its_own():
    assert tuple(FINDING_CODES) == NIH
    assert len({(code.scheme, code.value) for code in FINDING_CODES.values()}) == len(NIH)
    for code in FINDING_CODES.values():
        assert len(code.value) <= 16
        assert len(code.meaning) <= 64


LISTED = {name: code for name, code in FINDING_CODES.items() if code.source.startswith("DICOM")}


@pytest.mark.parametrize("finding", LISTED)
def test_what_is_said_to_be_listed_by_the_standard_is(finding):
    """As pydicom has the standard's tables."""
    code = LISTED[finding]
    found = [value[code.value] for value in concepts[code.scheme].values() if code.value in value]
    assert any(meaning == code.meaning and code.source in map(STANDARD.format, cids) for meaning, cids in found)


def test_a_finding_of_another_vocabulary_gets_a_private_code():
    code = finding_code("Enlarged Cardiomediastinum")
    assert (code.value, code.scheme) == ("ENLARGED_CARDIOM", PRIVATE_SCHEME)
    assert code.meaning == "Enlarged Cardiomediastinum"
