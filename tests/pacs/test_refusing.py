"""Which objects get no answer."""

import pytest
from highdicom.sr import CodedConcept

from cxrbench.pacs.refusing import Unanswerable, check_answerable
from dicom_film import film_dataset

REFUSED = [
    ({"BodyPartExamined": "HAND"}, "another body part"),
    ({"AnatomicRegionSequence": [CodedConcept("72696002", "SCT", "Knee")]}, "another body part"),
    ({"ViewPosition": "LL"}, "lateral"),
    ({"ViewPosition": "RAO"}, "oblique"),
    ({"ViewPosition": None, "PatientOrientation": ["A", "F"]}, "lateral"),
    ({"PresentationIntentType": "FOR PROCESSING"}, "for processing"),
    ({"NumberOfFrames": 2}, "several frames"),
    ({"SamplesPerPixel": 3}, "colour"),
    ({"ManufacturerModelName": "cxrbench"}, "cxrbench itself"),
]


@pytest.mark.parametrize(("elements", "said"), REFUSED)
def test_refused(plain_film, elements, said):
    with pytest.raises(Unanswerable, match=said):
        check_answerable(film_dataset(plain_film, **elements))


@pytest.mark.parametrize(
    "elements",
    [
        {},
        {"BodyPartExamined": None, "ViewPosition": None},
        {"BodyPartExamined": "THORAX PA"},
        {"BodyPartExamined": "TORAX"},
        {"AnatomicRegionSequence": [CodedConcept("816094009", "SCT", "Chest")]},
        {"AnatomicRegionSequence": []},
        {"PatientOrientation": ["R", "F"]},
    ],
)
def test_answered(plain_film, elements):
    check_answerable(film_dataset(plain_film, **elements))
