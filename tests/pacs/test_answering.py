"""A film's answer as DICOM: what the report says is what the prediction says, and all of it is valid."""

import os
from contextlib import closing

import pydicom
import pytest

from cxrbench.data.images import read_film
from cxrbench.errors import ConfigError, DataError
from cxrbench.pacs.answering import Answerer
from cxrbench.pacs.capture import SIDE
from cxrbench.pacs.equipment import is_result
from cxrbench.pacs.refusing import Unanswerable
from cxrbench.pacs.report import read_probabilities
from cxrbench.pacs.source import IDENTITY, read_source
from cxrbench.pacs.writing import write_results
from dicom_film import CR, SC, film_dataset, write_film

MONOCHROME1 = {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"}
LITTLE = (
    "PresentationIntentType", "PresentationLUTShape", "ViewPosition", "BodyPartExamined", "PatientOrientation",
    "PatientAge", "WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept", "RescaleType",
    "ImagerPixelSpacing",
)  # fmt: skip
CAPTURED = {"SOPClassUID": SC, "Modality": "OT", "ConversionType": "WSD", **dict.fromkeys(LITTLE)}
FORMS = {
    "DX": {},
    "DX, low values bright": MONOCHROME1,
    "CR": {"SOPClassUID": CR, "Modality": "CR", "PresentationIntentType": None, "PresentationLUTShape": None},
    "SC that says little": CAPTURED,
    "two windows": {"WindowCenter": ["2048", "1000"], "WindowWidth": ["4096", "500"]},
    "a window without width": {"WindowWidth": None},
    "empty lookup tables, window and rescaling": {
        "VOILUTSequence": [], "ModalityLUTSequence": [], "ViewCodeSequence": [], "WindowCenter": "", "WindowWidth": "",
        "RescaleSlope": "", "RescaleIntercept": "", "PatientOrientation": "", "DeidentificationMethodCodeSequence": []},
    "lossy": {"LossyImageCompression": "01", "LossyImageCompressionRatio": "12.5",
              "LossyImageCompressionMethod": "ISO_10918_1"},
    "nothing that may be empty": dict.fromkeys(
        ("PatientName", "PatientBirthDate", "PatientSex", "StudyID", "AccessionNumber", "ReferringPhysicianName"), ""),
}  # fmt: skip


@pytest.mark.parametrize("elements", FORMS.values(), ids=FORMS)
def test_results_are_valid_and_refer_to_the_film(answerer, shown_film, errors_of, tmp_path, elements):
    path = write_film(tmp_path / "film.dcm", shown_film, **elements)
    film = pydicom.dcmread(path)
    written = write_results(tmp_path / "out", answerer.answer(path))
    assert {"report.dcm", "heat-map-1.dcm", "boxes.dcm"} <= {one.name for one in written.iterdir()}
    for file in written.iterdir():
        assert errors_of(file) == []
        result = pydicom.dcmread(file)
        assert film.SOPInstanceUID in _uids(result)
        assert is_result(result)
        assert [str(result.get(name) or "") for name in IDENTITY] == [str(film.get(name) or "") for name in IDENTITY]


def _uids(dataset) -> set[str]:
    return {str(element.value) for element in dataset.iterall() if element.keyword == "ReferencedSOPInstanceUID"}


def test_the_report_says_what_the_prediction_says(answerer, shown_film, tmp_path):
    path = write_film(tmp_path / "film.dcm", shown_film)
    answer = answerer.predictor.predict_films([read_film(path)])[0]
    told = read_probabilities(answerer.answer(path).report)
    expected = {
        answerer.bundle.record.vocabulary[name].coded.meaning: value
        for name, value in zip(answerer.bundle.answered, answer.probabilities, strict=True)
    }
    assert told == pytest.approx(expected, abs=0, rel=1e-15)


@pytest.mark.parametrize(
    ("elements", "said"),
    [
        ({"BodyPartExamined": "KNEE"}, "body part KNEE in the header"),
        ({"PatientOrientation": ["A", "F"]}, "no frontal film by the Patient Orientation A\\F"),
        ({"PatientOrientation": ["R", "F"]}, "the film is mirrored left to right"),
    ],
)
def test_the_report_of_an_unusual_film_says_so(answerer, shown_film, tmp_path, elements, said):
    path = write_film(tmp_path / "film.dcm", shown_film, **elements)
    texts = [str(one.value) for one in answerer.answer(path).report.iterall() if one.keyword == "TextValue"]
    assert any(said in text for text in texts), texts


def test_the_same_film_gives_the_same_objects(answerer, shown_film, tmp_path):
    path = write_film(tmp_path / "film.dcm", shown_film)
    first, again = (answerer.answer(path).all for _ in range(2))
    uids = [one.SOPInstanceUID for one in first]
    assert uids == [one.SOPInstanceUID for one in again]
    assert len(set(uids)) == len(uids)
    assert len({one.SeriesInstanceUID for one in first}) == 3
    assert all(uid.startswith("2.25.") and uid.is_valid for uid in uids)
    other = answerer.answer(write_film(tmp_path / "other.dcm", shown_film))
    assert not {one.SOPInstanceUID for one in other.all} & set(uids)


def test_what_shows_something_else_is_another_object(answerer, shown_film, tmp_path):
    """Another method's pictures and boxes, and boxes of fewer findings; the report stays the same object."""
    path = write_film(tmp_path / "film.dcm", shown_film)
    usual = answerer.answer(path)
    assert usual.captures[0].DerivationDescription.startswith("Class activation map of")
    with closing(Answerer(answerer.predictor, most_shown=1, method="occlusion")) as other:
        occluded = other.answer(path)
    assert occluded.captures[0].DerivationDescription.startswith("Occlusion map of")
    assert {one.SOPInstanceUID for one in usual.all} & {one.SOPInstanceUID for one in occluded.all} == {
        usual.report.SOPInstanceUID
    }
    assert len(usual.captures) > 1
    with closing(Answerer(answerer.predictor, most_shown=1)) as fewer:
        one = fewer.answer(path)
    assert one.captures[0].SOPInstanceUID == usual.captures[0].SOPInstanceUID
    assert one.presentation.SOPInstanceUID != usual.presentation.SOPInstanceUID


def test_a_heat_map_is_a_picture_with_the_notice(answerer, shown_film, tmp_path):
    results = answerer.answer(write_film(tmp_path / "film.dcm", shown_film))
    assert 1 <= len(results.captures) <= 3
    for capture in results.captures:
        assert capture.BurnedInAnnotation == "YES"
        assert capture.ConversionType == "WSD"
        assert capture.PatientOrientation == ["L", "F"]
        assert "Research use only" in capture.ImageComments
        assert capture.Columns == SIDE
        assert (capture.pixel_array[:30].max(axis=(0, 1)) == 255).all()  # white letters
        assert "No Finding" not in capture.DerivationDescription


def test_boxes_lie_on_the_film(answerer, shown_film, tmp_path):
    state = answerer.answer(write_film(tmp_path / "film.dcm", shown_film)).presentation
    height, width = shown_film.shape
    for annotation in state.GraphicAnnotationSequence:
        points = annotation.GraphicObjectSequence[0].GraphicData
        assert len(points) == 10
        assert all(0 <= x <= width and 0 <= y <= height for x, y in zip(points[::2], points[1::2], strict=True))
        assert points[:2] == points[-2:]
    assert state.PresentationLUTShape == "IDENTITY"
    turned = answerer.answer(write_film(tmp_path / "turned.dcm", 255 - shown_film, **MONOCHROME1)).presentation
    assert turned.PresentationLUTShape == "INVERSE"


def test_an_output_that_is_not_calibrated_says_so_wherever_it_is_read(answerer, shown_film, tmp_path):
    results = answerer.answer(write_film(tmp_path / "film.dcm", shown_film))
    texts = [one.TextObjectSequence[0].UnformattedTextValue for one in results.presentation.GraphicAnnotationSequence]
    is_raw = {name.replace("_", " "): not answerer.bundle.is_calibrated(name) for name in answerer.bundle.answered}
    shown = [next(name for name in is_raw if text.startswith(f"{name} ")) for text in texts]
    assert any(is_raw[name] for name in shown)
    assert ["(not calibrated)" in text for text in texts] == [is_raw[name] for name in shown]
    assert ["no probability" in one.ImageComments for one in results.captures] == [is_raw[name] for name in shown]
    for annotation in results.presentation.GraphicAnnotationSequence:
        text = annotation.TextObjectSequence[0]
        assert text.BoundingBoxTopLeftHandCorner[0] >= 0
        assert text.BoundingBoxBottomRightHandCorner[0] <= shown_film.shape[1]


def test_names_of_any_script_stay_as_they_are(answerer, shown_film, tmp_path):
    path = write_film(tmp_path / "film.dcm", shown_film, SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Jürgen")
    for file in write_results(tmp_path / "out", answerer.answer(path)).iterdir():
        assert str(pydicom.dcmread(file).PatientName) == "Müller^Jürgen"


def test_nothing_is_shown_where_nothing_is_asked_for(answerer, shown_film, tmp_path):
    quiet = Answerer(answerer.predictor, most_shown=0)
    results = quiet.answer(write_film(tmp_path / "film.dcm", shown_film))
    quiet.close()
    assert results.all == (results.report,)


def test_a_colour_film_gets_no_presentation_state(answerer, shown_film, tmp_path):
    pixels = shown_film[..., None].repeat(3, axis=2).tobytes()
    form = {"SamplesPerPixel": 3, "PlanarConfiguration": 0, "PhotometricInterpretation": "RGB"}
    colour = {**form, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelData": pixels}
    results = answerer.answer(write_film(tmp_path / "film.dcm", shown_film, **{**CAPTURED, **colour}))
    assert results.captures
    assert results.presentation is None


def test_what_cannot_be_answered_says_why(answerer, plain_film, tmp_path):
    (tmp_path / "not.dcm").write_bytes(b"no film")
    with pytest.raises(DataError, match=r"not\.dcm: not a DICOM file; results need a DICOM film to refer to"):
        answerer.answer(tmp_path / "not.dcm")
    with pytest.raises(DataError, match="it lacks SeriesInstanceUID"):
        answerer.answer(write_film(tmp_path / "lacking.dcm", plain_film, SeriesInstanceUID=None))
    with pytest.raises(Unanswerable) as refused:
        answerer.answer(write_film(tmp_path / "cut.dcm", plain_film, PixelData=b"\0" * 100))
    assert refused.value.short == "truncated or unreadable DICOM"


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "film.dcm")
    with pytest.raises(DataError, match=r"film\.dcm: results need a DICOM film to refer to \(a named pipe, not a"):
        read_source(tmp_path / "film.dcm")


def test_a_result_is_known_by_its_equipment(answerer, shown_film, tmp_path):
    results = answerer.answer(write_film(tmp_path / "film.dcm", shown_film))
    assert all(is_result(one) for one in results.all)
    assert not is_result(film_dataset(shown_film))


def test_a_method_that_a_network_refuses_is_replaced(answerer, monkeypatch):
    monkeypatch.setattr("cxrbench.explain.bundled.cam_problem", lambda classifier, image_size: "it has a class token")
    with closing(Answerer(answerer.predictor, method="cam")) as other:
        (note,) = other.notes
    assert "(cam): it has a class token" in note
    assert note.endswith("; grad-cam is used instead")
    assert answerer.notes == ()


def test_a_method_that_is_refused_on_a_film_is_replaced_there_and_the_report_says_so(
    answerer, shown_film, tmp_path, monkeypatch
):
    def refuse(classifier, asked):
        raise ConfigError("its mean is not what the image adds")

    path = write_film(tmp_path / "film.dcm", shown_film)
    monkeypatch.setattr("cxrbench.explain.maps.cam", refuse)
    results = answerer.answer(path)
    texts = [str(one.value) for one in results.report.iterall() if one.keyword == "TextValue"]
    assert "heat maps are by grad-cam, as a network refuses cam on this film" in texts
    assert results.captures[0].DerivationDescription.startswith("Grad-CAM map of")


def test_a_film_on_which_every_method_is_refused_has_a_report_that_says_so(answerer, shown_film, tmp_path, monkeypatch):
    def refuse(classifier, asked, method):
        raise ConfigError(f"{method} is refused")

    path = write_film(tmp_path / "film.dcm", shown_film)
    monkeypatch.setattr("cxrbench.explain.bundled.heat_maps", refuse)
    results = answerer.answer(path)
    texts = [str(one.value) for one in results.report.iterall() if one.keyword == "TextValue"]
    assert "no heat maps and no boxes: layer-cam is refused" in texts
    assert (results.captures, results.presentation) == ((), None)
    assert read_probabilities(results.report)
