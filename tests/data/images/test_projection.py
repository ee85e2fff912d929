"""What a header says of part and direction is told by whoever answers, and refused by whoever may."""

import io

import numpy as np
import pydicom
import pytest

from cxrbench.data.images import decode_film
from cxrbench.data.images.projection import (
    CHEST_REGIONS,
    VIEW_CODES,
    is_not_frontal,
    is_orientation,
    shows_other_part,
    view_position,
)
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


@pytest.mark.parametrize("part", ["KNEE", "HAND", "ABDOMEN", "LSPINE", "SKULL", "THORACIC SPINE"])
def test_another_part_is_told(part):
    assert facts_of(BodyPartExamined=part).warnings == (
        f"body part {part} in the header: the model knows chest films only",
    )


@pytest.mark.parametrize("part", ["CHEST", "THORAX", "CHEST_TO_ABDOMEN", "PORT CHEST", "TORAX", "LUNG", "", None])
def test_the_chest_in_many_words_is_not(part):
    dataset = film_dataset(FILM, BodyPartExamined=part)
    assert not shows_other_part(dataset)
    assert facts_of(BodyPartExamined=part).warnings == ()


@pytest.mark.parametrize(
    ("code", "scheme", "meaning", "told"),
    [
        ("72696002", "SCT", "Knee", "KNEE"),
        ("T-11502", "SRT", "Thoracic spine", "THORACIC SPINE"),
        ("12738006", "SCT", None, "12738006"),
        ("12738006", "SCT", "Of a name longer than any", "OF A NAME LONGER"),
    ],
)
def test_another_region_is_told(code, scheme, meaning, told):
    region = {"AnatomicRegionSequence": coded(code, scheme=scheme, meaning=meaning)}
    assert facts_of(**region).warnings == (f"anatomic region {told} in the header: the model knows chest films only",)
    assert shows_other_part(film_dataset(FILM, **region))


@pytest.mark.parametrize(
    "region",
    [
        [],
        [pydicom.Dataset()],
        coded(""),
        coded(None),
        coded("51185008", meaning=None),
        coded("T-D3000", scheme="SRT", meaning="Brustkorb"),
        coded("74160004", meaning="Skin of chest"),
        coded("17", scheme="99HOUSE", meaning="ward three"),
        coded("12738006", scheme=None),
    ],
)
def test_the_chest_by_any_code_or_no_region_is_not(region):
    assert facts_of(AnatomicRegionSequence=region).warnings == ()
    assert not shows_other_part(film_dataset(FILM, AnatomicRegionSequence=region))


def test_regions_hold_the_chest_by_the_standards_own_tables():
    """All of CID 4031 that speak of the chest, with the codes that they had before."""
    from pydicom.sr._snomed_dict import mapping  # noqa: PLC0415
    from pydicom.sr.codedict import codes  # noqa: PLC0415

    listed = [getattr(codes.cid4031, name) for name in codes.cid4031.dir()]
    expected = {one.value for one in listed if "chest" in one.meaning.lower()}
    assert len(expected) > 3
    assert expected <= CHEST_REGIONS
    assert {mapping["SCT"][one] for one in CHEST_REGIONS & mapping["SCT"].keys()} <= CHEST_REGIONS


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
