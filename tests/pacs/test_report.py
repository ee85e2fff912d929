"""The content of a structured report, read back."""

import io

import highdicom
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.sr.codedict import codes

from cxrbench.config import load_vocabulary
from cxrbench.pacs.codes import NOTICE, REACHES_THRESHOLD, THRESHOLD, WARNING, concept_of
from cxrbench.pacs.equipment import Author
from cxrbench.pacs.findings import Told, to_show
from cxrbench.pacs.report import DECISIONS, make_report, read_probabilities
from cxrbench.pacs.source import source_of
from dicom_film import film_dataset

NIH = load_vocabulary("nih15")
AUTHOR = Author("ab" * 32, ("large-meta / resample-1 / seed 0",), ("Research use only; not for diagnosis.",))
SHARES = st.floats(0, 1) | st.sampled_from([0.0, 1e-300, 5e-324, 1 - 2**-53, 1.0])


@st.composite
def told(draw, finding):
    threshold = draw(st.none() | SHARES)
    probability = draw(SHARES)
    return Told(
        of=finding,
        probability=probability,
        threshold=threshold,
        is_present=None if threshold is None else probability >= threshold,
        percentile=draw(st.floats(0, 100)),
        is_calibrated=draw(st.booleans()),
    )


@pytest.fixture(scope="module")
def source():
    return source_of(film_dataset(np.zeros((20, 30), np.uint8)))


def written_and_read(dataset) -> highdicom.sr.EnhancedSR:
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return highdicom.sr.EnhancedSR.from_dataset(pydicom.dcmread(io.BytesIO(stream.getvalue())))


@settings(max_examples=6)
@given(
    findings=st.tuples(*map(told, NIH.findings)),
    warnings=st.lists(st.text("aß漢 ", min_size=1).map(str.strip), max_size=3),
)
def test_all_that_is_told_is_read_back(source, findings, warnings):
    report = written_and_read(make_report(source, AUTHOR, findings, tuple(text for text in warnings if text)))
    groups = report.content.get_image_measurement_groups()
    assert [group.finding_type for group in groups] == [concept_of(finding.coded) for finding in NIH.findings]
    for one, group in zip(findings, groups, strict=True):
        numbers = {item.name.value: item for item in group.get_measurements()}
        own = codes.DCM.Probability.value if one.is_calibrated else "MODEL_OUTPUT"
        assert numbers[own].value == one.probability
        assert (THRESHOLD.value in numbers) == (one.threshold is not None)
        (decision,) = group.get_qualitative_evaluations(REACHES_THRESHOLD)
        assert decision.value == DECISIONS[one.is_present]
        assert group.tracking_identifier == one.finding
    assert read_probabilities(report) == {one.of.coded.meaning: one.probability for one in findings}
    texts = report.ContentSequence[-1].ContentSequence
    assert [item.TextValue for item in texts] == [*AUTHOR.notices, *(text for text in warnings if text)]
    assert {item.ConceptNameCodeSequence[0].CodeValue for item in texts} <= {NOTICE.value, WARNING.value}


SHOWN_AND_EXACT = ("NumericValue", "FloatingPointValue")


def test_who_says_it(source):
    one = Told(
        of=NIH["Mass"], probability=0.123456789, threshold=0.1, is_present=True, percentile=99, is_calibrated=True
    )
    report = written_and_read(make_report(source, AUTHOR, (one,), ()))
    (observer,) = report.content.get_observer_contexts()
    assert observer.observer_identifying_attributes.serial_number == AUTHOR.digest
    assert report.DeviceSerialNumber == AUTHOR.digest
    texts = [element.value for element in report.iterall() if element.keyword == "TextValue"]
    assert "cxrbench large-meta" in texts  # algorithm name
    numbers = {name: [one.value for one in report.iterall() if one.keyword == name] for name in SHOWN_AND_EXACT}
    assert float(numbers["NumericValue"][0]) == pytest.approx(0.1235)  # what a reader is shown
    assert numbers["FloatingPointValue"][0] == 0.123456789
    assert report.PreliminaryFlag == "PRELIMINARY"
    assert report.VerificationFlag == "UNVERIFIED"


def test_what_is_shown_is_over_its_threshold_and_no_normal_film():
    def one(finding, percentile, is_present):
        return Told(of=NIH[finding], probability=0.5, threshold=0.4, is_present=is_present, percentile=percentile,
                    is_calibrated=True)  # fmt: skip

    findings = (one("Mass", 80, True), one("Edema", 95, True), one("Hernia", 99, False), one("Nodule", 70, None),
                one("Effusion", 90, True), one("No Finding", 99, True))  # fmt: skip
    assert [told.finding for told in to_show(findings)] == ["Edema", "Effusion", "Mass"]
