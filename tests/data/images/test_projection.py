"""What a header says of part and direction is told by whoever answers, and refused by whoever may."""

import io

import numpy as np
import pydicom
import pytest

from cxrbench.data.images import decode_film
from cxrbench.data.images.projection import VIEW_CODES, is_not_frontal, is_orientation, named_view, view_position
from dicom_film import film_dataset

FILM = np.random.default_rng(0).integers(0, 256, (24, 32)).astype(np.uint8)


def coded(value, *, scheme="SCT", meaning="a view"):
    """A sequence of one code; None leaves an element of it out."""
    item = pydicom.Dataset()
    for name, own in (("CodeValue", value), ("CodingSchemeDesignator", scheme), ("CodeMeaning", meaning)):
        if own is not None:
            setattr(item, name, own)
    return [item]


def facts_of(**elements):
    stream = io.BytesIO()
    film_dataset(FILM, **elements).save_as(stream, enforce_file_format=True)
    return decode_film(stream.getvalue()).facts


def test_a_frontal_chest_film_is_told_nothing():
    assert facts_of().warnings == ()


@pytest.mark.parametrize(
    ("code", "view"),
    [
        ("272479007", "PA"),
        ("R-10206", "AP"),
        ("399067008", "LATERAL"),
        ("399173006", "LL"),
        ("399135007", "LAO"),
        ("1234", None),
    ],
)
def test_the_views_code_counts_where_no_view_position_is_stated(code, view):
    for stated in (None, ""):
        assert facts_of(ViewPosition=stated, ViewCodeSequence=coded(code)).view == view
    assert facts_of(ViewPosition="AP", ViewCodeSequence=coded(code)).view == "AP"


def test_codes_mean_what_the_standards_own_table_says():
    """By pydicom's copy of PS3.16."""
    from pydicom.sr.codedict import codes  # noqa: PLC0415

    names = {"PosteroAnterior": "PA", "AnteroPosterior": "AP", "LateralProjection": "LATERAL", "LeftLateral": "LL",
             "RightLateral": "RL", "ObliqueProjection": "OBLIQUE", "LeftOblique": "OBLIQUE", "RightOblique": "OBLIQUE",
             "RightAnteriorOblique": "RAO", "LeftAnteriorOblique": "LAO", "RightPosteriorOblique": "RPO",
             "LeftPosteriorOblique": "LPO"}  # fmt: skip
    assert {view: VIEW_CODES[getattr(codes.SCT, name).value] for name, view in names.items()} == {
        view: view for view in names.values()
    }


@pytest.mark.parametrize("axes", [["A", "F"], ["P", "F"], ["AL", "F"], ["L", "P"]])
def test_a_film_from_the_side_by_its_orientation_alone_is_told(axes):
    elements = {"ViewPosition": None, "PatientOrientation": axes}
    assert facts_of(**elements).warnings == (
        f"no frontal film by the Patient Orientation {axes[0]}\\{axes[1]} in the header",
    )
    assert is_not_frontal(film_dataset(FILM, **elements))


PLACES = np.stack(np.meshgrid([0, 1], [0, 1], indexing="ij"), axis=-1)
"""(2, 2, 2): of a film as it is usually shown, how far each pixel is towards the feet, and towards the left."""
CHANGES = {
    "mirrored left to right": np.fliplr,
    "mirrored top to bottom": np.flipud,
    "upside down": lambda film: np.rot90(film, 2),
    "turned by 90 degrees clockwise": lambda film: np.rot90(film, -1),
    "turned by 90 degrees counterclockwise": np.rot90,
    "mirrored left to right, then turned by 90 degrees clockwise": lambda film: np.rot90(np.fliplr(film), -1),
    "mirrored left to right, then turned by 90 degrees counterclockwise": lambda film: np.rot90(np.fliplr(film)),
}


def direction(step):
    """Where a step leads that goes so far towards the feet and the left."""
    return {(1, 0): "F", (-1, 0): "H", (0, 1): "L", (0, -1): "R"}[tuple(step)]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("oblique", ["", "A"])
def test_a_film_that_is_mirrored_or_turned_by_its_orientation_is_told(change, oblique):
    places = CHANGES[change](PLACES)
    axes = [direction(places[0, 1] - places[0, 0]) + oblique, direction(places[1, 0] - places[0, 0])]
    (told,) = facts_of(PatientOrientation=axes).warnings
    assert told.startswith(f"by the Patient Orientation {axes[0]}\\{axes[1]} in the header the film is {change}; ")
    assert not is_not_frontal(film_dataset(FILM, PatientOrientation=axes))


@pytest.mark.parametrize("axes", [["L", "F"], ["LA", "F"], [], ["X", "Y"], ["L", "R"], ["L"], None])
def test_a_frontal_or_unknown_orientation_is_not(axes):
    assert facts_of(PatientOrientation=axes).warnings == ()
    assert not is_not_frontal(film_dataset(FILM, PatientOrientation=axes))


def test_a_lateral_by_view_position_is_told_once_by_who_knows_the_training_films():
    facts = facts_of(ViewPosition="LL", PatientOrientation=["A", "F"])
    assert (facts.view, facts.warnings) == ("LL", ())


@pytest.mark.parametrize(
    "elements",
    [{"ViewPosition": "LL"}, {"ViewPosition": "RAO"}, {"ViewPosition": None, "ViewCodeSequence": "399067008"}],
)
def test_what_is_not_frontal(elements):
    if "ViewCodeSequence" in elements:
        elements = elements | {"ViewCodeSequence": coded(elements["ViewCodeSequence"])}
    assert is_not_frontal(film_dataset(FILM, **elements))


@pytest.mark.parametrize("items", [[], [pydicom.Dataset()]])
def test_a_code_that_is_none(items):
    assert view_position(film_dataset(FILM, ViewPosition=None, ViewCodeSequence=items)) is None


@pytest.mark.parametrize("value", [None, "", "LF", ["L"], ["L", "F", "A"], ["L", ""], 3])
def test_no_orientation(value):
    assert not is_orientation(value)


FRONTAL = {
    "PA": ["PA", "pa", "POSTERO_ANTERIOR", "POSTERO-ANTERIOR", "POSTEROANTERIOR", "POSTERIOR_ANTERIOR", "PA ERECT",
           "PA CHEST", "CHEST PA", "CHESTPA", "P.A.", "P-A", "PA UPRIGHT", "PA1", "TÓRAX PA", "后前位",
           "POSTERO ANTERIOR"],
    "AP": ["AP", "AP PORTABLE", "AP SUPINE", "ANTERO_POSTERIOR", "ANTEROPOSTERIOR", "PORTABLE AP", "CHEST AP", "A.P.",
           "AP ERECT", "AP_PORTABLE", "APPORTABLE", "PORT AP", "AP DECUBITO SUPINO", "AP DECUBITO DORSAL", "前后位"],
}  # fmt: skip
NOT_FRONTAL = [
    "XTABLE LATERAL", "X-TABLE LAT", "CROSS TABLE LATERAL", "CROSSTABLE", "X TABLE", "SWIMMERS",
    "SWIMMER'S", "CHEST LAT", "LLAT", "RLAT", "LT LAT", "LLATERAL", "LATERAL", "LAT", "L LAT",
    "LAT ERECT", "LATERAL_LEFT", "LEFT LATERAL", "LL", "RL", "LLD", "DECUBITUS", "LEFT DECUBITUS",
    "LAT DECUB", "RDECUB", "OBLIQUE", "OBL", "RAO", "LAO 45", "PA OBLIQUE", "LPO", "AP LORDOTIC",
    "LORDOTIC", "PROFIL", "PERFIL", "SEITLICH", "LATERO-LATERALE", "PERFIL IZQ", "БОКОВАЯ", "侧位", "側面",
    "측면", "L", "PA LAT", "BOCZNE", "OBLICUA", "SCHRÄG",
]  # fmt: skip
UNSAID = ["ERECT", "PORTABLE", "FRONTAL", "SUPINE", "UNKNOWN", "DEFAULT", "OTHER", "PA/AP", "正位", "---", "FACE", ""]


@pytest.mark.parametrize(("view", "text"), [(view, text) for view, texts in FRONTAL.items() for text in texts])
def test_frontal_views_as_public_films_write_them(view, text):
    with pydicom.config.disable_value_validation():
        dataset = film_dataset(FILM, ViewPosition=text)
    assert view_position(dataset) == view
    assert not is_not_frontal(dataset)


@pytest.mark.parametrize("text", NOT_FRONTAL)
def test_views_that_are_not_frontal_as_public_films_write_them(text):
    with pydicom.config.disable_value_validation():
        dataset = film_dataset(FILM, ViewPosition=text)
    assert is_not_frontal(dataset)
    assert view_position(dataset) not in {"PA", "AP", None}


@pytest.mark.parametrize("text", UNSAID)
def test_views_that_say_no_more_than_frontal_or_nothing(text):
    with pydicom.config.disable_value_validation():
        dataset = film_dataset(FILM, ViewPosition=text)
    assert view_position(dataset) is None
    assert not is_not_frontal(dataset)


@pytest.mark.parametrize("text", ["BILATERAL", "COLLATERAL", "LATE", "TABLE", "BEDSIDE LUNG", "ZZ9"])
def test_words_that_only_look_like_a_lateral_view(text):
    assert named_view(text) in {text, None}
    assert not is_not_frontal(film_dataset(FILM, ViewPosition=text))


@pytest.mark.parametrize(
    ("element", "text", "view", "said"),
    [
        ("SeriesDescription", "CHEST LATERAL", "LATERAL", "Series Description"),
        ("SeriesDescription", "TÓRAX PERFIL", "LATERAL", "Series Description"),
        ("ProtocolName", "W033 Chest LAT", "LATERAL", "Protocol Name"),
        ("StudyDescription", "Chest decubitus", "DECUBITUS", "Study Description"),
        ("PerformedProcedureStepDescription", "Chest obl.", "OBLIQUE", "Performed Procedure Step Description"),
    ],
)
@pytest.mark.parametrize("stated", [None, "", "UNKNOWN", "ERECT"])
def test_a_description_counts_where_no_view_is_stated(element, text, view, said, stated):
    elements = {"ViewPosition": stated, "StudyDescription": None, element: text}
    facts = facts_of(**elements)
    assert (facts.view, facts.warnings) == (view, (f"no frontal film by its {said}: {view}",))
    assert is_not_frontal(film_dataset(FILM, **elements))


@pytest.mark.parametrize(
    "elements",
    [
        {"ViewPosition": "PA", "SeriesDescription": "CHEST LATERAL"},
        {"ViewPosition": None, "SeriesDescription": "CHEST PA AND LATERAL"},
        {"ViewPosition": None, "SeriesDescription": "CHEST FRONTAL/LATERAL"},
        {"ViewPosition": None, "SeriesDescription": "BILATERAL LUNGS"},
    ],
)
def test_a_description_does_not_count(elements):
    """Where the view is stated, or where it is that of several films."""
    facts = facts_of(**elements)
    assert (facts.view, facts.warnings) == (elements["ViewPosition"], ())
    assert not is_not_frontal(film_dataset(FILM, **elements))
