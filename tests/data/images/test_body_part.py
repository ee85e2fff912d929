"""What a header says of the part of the body is understood in many languages; another part is told, or refused."""

import io

import numpy as np
import pydicom
import pytest

from cxrbench.data.images import decode_film
from cxrbench.data.images.body_part import CHEST_REGIONS, names_chest, shows_other_part
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


CHESTS = [
    "CHEST", "CHEST PA", "CXR", "CHST", "PCXR", "THORAX", "Thorax ap", "TÓRAX", "TORAX", "T?RAX", "T\ufffdRAX",
    "T??RAX",
    "TORACE", "TORAKS", "PECHO", "PEITO", "PULMÓN", "PULM?N", "PULMÃO", "POLMONI", "POUMON", "POUMONS", "POITRINE",
    "BRUST", "BRUSTKORB", "LUNGE", "LUNGS", "LONGEN", "BORSTKAS", "BRÖSTKORG", "KEUHKOT", "KLATKA PIERSIOWA", "PŁUCA",
    "P?UCA", "HRUDNÍK", "PLÍCE", "MELLKAS", "GÖĞÜS", "G??S CHEST", "ГРУДНАЯ КЛЕТКА", "ОГК", "ЛЁГКИЕ", "ΘΩΡΑΚΑΣ",
    "胸部", "胸", "肺", "흉부", "가슴", "صدر", "חזה", "NGỰC", "CHEST_TO_ABDOMEN", "RX TORAX", "THORACIC CAVITY",
]  # fmt: skip
OTHERS = [
    "KNEE", "ABDOMEN", "THORACIC SPINE", "TSPINE", "BRUSTWIRBELSÄULE", "COLUMNA TORÁCICA", "COLONNE THORACIQUE",
    "THORACOLUMBAR", "BRUSTBEIN", "膝", "ЧЕРЕП", "HAND", "LONG BONE", "BREAST", "胸椎",
]  # fmt: skip


@pytest.mark.parametrize("name", CHESTS)
def test_names_of_the_chest_in_public_films(name):
    assert names_chest(name)


@pytest.mark.parametrize("name", OTHERS)
def test_names_of_other_parts(name):
    assert not names_chest(name)


@pytest.mark.parametrize("name", ["UNKNOWN", "DEFAULT", "Other", "unspecified", "N/A", "NONE", "---", "???", "*"])
def test_what_says_nothing_is_absent(name):
    with pydicom.config.disable_value_validation():
        assert not shows_other_part(film_dataset(FILM, BodyPartExamined=name))
        region = coded("1", meaning=name)
        assert not shows_other_part(film_dataset(FILM, BodyPartExamined=None, AnatomicRegionSequence=region))


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [("GB18030", "gb18030"), ("ISO_IR 192", "utf-8"), (None, "gb18030"), (None, "utf-8"), ("ISO_IR 100", "utf-8"),
     ("\\ISO 2022 IR 87", "iso2022_jp")],
)  # fmt: skip
def test_code_strings_in_other_character_sets(declared, encoding):
    """As pydicom hands them over: byte for byte."""
    text = "胸部".encode(encoding).decode("latin-1")
    with pydicom.config.disable_value_validation():
        chest = film_dataset(FILM, BodyPartExamined=text, SpecificCharacterSet=declared)
        knee = film_dataset(FILM, BodyPartExamined="膝".encode("gb18030").decode("latin-1"))
    assert not shows_other_part(chest)
    assert shows_other_part(knee)


def test_several_parts_are_read_together():
    assert not shows_other_part(film_dataset(FILM, BodyPartExamined=["CHEST", "ABDOMEN"]))
    assert shows_other_part(film_dataset(FILM, BodyPartExamined=["KNEE", "ANKLE"]))
