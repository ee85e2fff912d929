"""Codes of findings, as reports hold them."""

import pytest
from pydicom.sr._concepts_dict import concepts

from cxrbench.config import Code, Vocabulary, load_vocabulary, vocabulary_names
from cxrbench.config.finding import PRIVATE_SCHEME
from cxrbench.pacs.codes import PRIVATE_SCHEME_NAME, concept_of, private_schemes

STANDARD = "DICOM PS3.16, CID {}"
LISTED = {
    f"{name} {finding.name}": finding.coded
    for name in vocabulary_names()
    for finding in load_vocabulary(name).findings
    if finding.coded.source.startswith("DICOM")
}


@pytest.mark.parametrize("name", vocabulary_names())
def test_every_packaged_finding_has_a_code_that_fits_an_object(name):
    for finding in load_vocabulary(name).findings:
        concept = concept_of(finding.coded)
        assert (concept.value, concept.meaning) == (finding.coded.value, finding.coded.meaning)
        assert len(concept.CodeValue) <= 16
        assert len(concept.meaning) <= 64


def test_nih_findings_have_a_code_each():
    codes = [finding.coded for finding in load_vocabulary("nih15").findings]
    assert len({(code.scheme, code.value) for code in codes}) == len(codes) == 15


@pytest.mark.parametrize("finding", LISTED)
def test_what_is_said_to_be_listed_by_the_standard_is(finding):
    """As pydicom has the standard's tables."""
    code = LISTED[finding]
    found = [value[code.value] for value in concepts[code.scheme].values() if code.value in value]
    assert any(meaning == code.meaning and code.source in map(STANDARD.format, cids) for meaning, cids in found)


def test_a_finding_without_a_public_code_gets_a_private_one():
    vocabulary = Vocabulary(name="own", findings=("Enlarged Cardiomediastinum", "Enlarged Cardiomegaly", "Línea PICC"))
    codes = [finding.coded for finding in vocabulary.findings]
    assert {code.scheme for code in codes} == {PRIVATE_SCHEME}
    assert len({code.value for code in codes}) == 3
    assert [code.meaning for code in codes] == list(vocabulary.names)


def test_private_schemes_are_declared():
    theirs = Code(value="1", scheme="99HOSPITAL", meaning="Stent")
    public = Code(value="2", scheme="SCT", meaning="Fracture")
    schemes = private_schemes((theirs, public))
    assert schemes == {"99HOSPITAL": "private scheme of the vocabulary", PRIVATE_SCHEME: PRIVATE_SCHEME_NAME}
