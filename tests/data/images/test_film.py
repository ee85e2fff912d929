"""A film with what its header says."""

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

from cxrbench.data.images import Facts, decode_film, dicom, read_film
from cxrbench.data.images.pixels import Unreadable
from cxrbench.errors import DataError
from mutated_films import mutants

FILM = np.random.default_rng(0).integers(100, 4000, (24, 32)).astype(np.uint16)
SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"


def film_of(pixels=FILM, **elements):
    """The film of a digital radiograph with these elements."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = DigitalXRayImageStorageForPresentation
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = "1.2.3"
    made.Rows, made.Columns, made.SamplesPerPixel = *pixels.shape, 1
    made.PhotometricInterpretation = "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    made.PixelData = pixels.tobytes()
    with pydicom.config.disable_value_validation():
        for name, value in elements.items():
            setattr(made, name, value)
        stream = io.BytesIO()
        pydicom.dcmwrite(stream, made, enforce_file_format=True)
    return decode_film(stream.getvalue())


@pytest.mark.parametrize(
    ("stated", "years"),
    [
        ("062Y", 62),
        ("62", 62),
        ("007M", 7 / 12),
        ("026W", 26 * 7 / 365.25),
        ("010D", 10 / 365.25),
        ("0Y", 0),
        ("120Y", 120),
    ],
)
def test_ages(stated, years):
    facts = film_of(PatientAge=stated).facts
    assert facts.age_years == pytest.approx(years)
    assert facts.warnings == ()


@pytest.mark.parametrize("stated", ["155Y", "999", "121Y"])
def test_an_impossible_age_is_unknown_and_told(stated):
    facts = film_of(PatientAge=stated).facts
    assert facts.age_years is None
    assert facts.warnings == ("the age in the header is not within 0 to 120 years and counts as unknown",)


def test_an_age_that_cannot_be_read_is_unknown_and_told():
    facts = film_of(PatientAge="old").facts
    assert (facts.age_years, facts.warnings) == (None, ("the age in the header cannot be read and counts as unknown",))


def test_the_age_from_birth_to_the_day_of_the_film():
    assert film_of(PatientBirthDate="19500615", StudyDate="20100615").facts.age_years == pytest.approx(60, abs=0.01)
    both = film_of(PatientBirthDate="19500615", StudyDate="20100615", AcquisitionDate="20000615")
    assert both.facts.age_years == pytest.approx(50, abs=0.01)
    assert film_of(PatientBirthDate="19500615", StudyDate="20100615", PatientAge="044Y").facts.age_years == 44
    for dates in ({"PatientBirthDate": "19500615"}, {"PatientBirthDate": "", "StudyDate": "20100615"},
                  {"PatientBirthDate": "unknown", "StudyDate": "20100615"}):  # fmt: skip
        assert film_of(**dates).facts.age_years is None
    assert "not within 0 to 120" in film_of(PatientBirthDate="20200101", StudyDate="20100615").facts.warnings[0]


@pytest.mark.parametrize(
    "birth", ["1950.06.15", "1950-06-15", "1950/06/15", "1950:06:15", "1950 06 15", " 19500615 "], ids=str
)
def test_birth_dates_in_old_forms(birth):
    assert film_of(PatientBirthDate=birth, StudyDate="2010.06.15").facts.age_years == pytest.approx(60, abs=0.01)


@pytest.mark.parametrize("birth", ["1950", "195006", "19501345", "1950.06-15", "15.06.1950", "19500615x"])
def test_birth_dates_that_are_none(birth):
    assert film_of(PatientBirthDate=birth, StudyDate="20100615").facts.age_years is None


@pytest.mark.parametrize("seen", ["20000615", "20000615101500.000000+0100", "2000061510"])
def test_the_age_by_acquisition_date_time(seen):
    facts = film_of(PatientBirthDate="19500615", AcquisitionDateTime=seen, StudyDate="20100615").facts
    assert facts.age_years == pytest.approx(50, abs=0.01)


@pytest.mark.parametrize("stated", ["", "UNKNOWN", "N/A"])
def test_an_age_that_says_nothing_is_absent(stated):
    facts = film_of(PatientAge=stated, PatientBirthDate="19500615", StudyDate="20100615").facts
    assert facts.age_years == pytest.approx(60, abs=0.01)
    assert facts.warnings == ()


@pytest.mark.parametrize(("stated", "sex"), [("F", "F"), ("M", "M"), ("O", None), ("", None), ("m", "M")])
def test_sex(stated, sex):
    assert film_of(PatientSex=stated).facts.sex == sex


def test_view_laterality_modality():
    facts = film_of(ViewPosition="ll", ImageLaterality="R", Modality="DX").facts
    assert (facts.view, facts.laterality, facts.modality, facts.warnings) == ("LL", "R", "DX", ())
    assert film_of(Modality="CT").facts.warnings == ("modality CT is no projection radiography",)


def test_spacing():
    assert film_of(ImagerPixelSpacing=[0.2, 0.1]).facts.spacing_mm == (0.2, 0.1)
    assert film_of(ImagerPixelSpacing=[0.2, 0.1], PixelSpacing=[0.18, 0.09]).facts.spacing_mm == (0.18, 0.09)
    for wrong in ([0, 0.1], [0.1], None):
        assert film_of(PixelSpacing=wrong).facts.spacing_mm is None


def test_a_header_that_says_nothing():
    assert film_of().facts == Facts()


def test_a_detectors_own_values_are_told():
    warnings = film_of(PresentationIntentType="FOR PROCESSING").facts.warnings
    assert warnings[0].startswith("FOR PROCESSING: the detector's own values")
    assert film_of(PresentationIntentType="FOR PRESENTATION").facts.warnings == ()


def test_the_presentation_lut_shape():
    """DX images say INVERSE beside MONOCHROME1 and mean one inversion; beside MONOCHROME2 it is told."""
    plain = film_of().pixels
    assert np.array_equal(film_of(PresentationLUTShape="IDENTITY").pixels, plain)
    both = film_of(PresentationLUTShape="INVERSE", PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(both.pixels, 255 - plain)
    assert both.facts.warnings == ()
    alone = film_of(PresentationLUTShape="INVERSE")
    assert np.array_equal(alone.pixels, 255 - plain)
    assert "INVERSE with MONOCHROME2" in alone.facts.warnings[0]


def test_overlays_are_left_out():
    """In a group of their own, and in the bits that the pixels leave free."""
    plain = film_of().pixels
    drawn = FILM | (np.indices(FILM.shape).sum(axis=0) % 2 << 15).astype(np.uint16)
    assert np.array_equal(film_of(drawn).pixels, plain)
    film = read_film(SHIPPED / "examples_overlay.dcm")
    dataset = pydicom.dcmread(SHIPPED / "examples_overlay.dcm")
    del dataset[0x6000, 0x3000]
    stream = io.BytesIO()
    dataset.save_as(stream)
    assert np.array_equal(film.pixels, decode_film(stream.getvalue()).pixels)


@pytest.mark.parametrize(
    ("name", "twin"),
    [
        ("MR_small_RLE.dcm", "MR_small.dcm"),
        ("MR_small_jp2klossless.dcm", "MR_small.dcm"),
        ("MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm"),
        ("MR_small_bigendian.dcm", "MR_small.dcm"),
        ("SC_rgb_jpeg_gdcm.dcm", "SC_rgb_rle.dcm"),
    ],
    ids=["RLE", "JPEG 2000", "JPEG-LS", "big endian", "JPEG lossless"],
)
def test_lossless_transfer_syntaxes_give_the_same_pixels(name, twin):
    assert np.array_equal(read_film(SHIPPED / name).pixels, read_film(SHIPPED / twin).pixels)


@pytest.mark.parametrize(
    "name", ["SC_rgb_dcmtk_+eb+cr.dcm", "JPEG2000.dcm", "693_J2KI.dcm", "SC_rgb_jls_lossy_line.dcm", "image_dfl.dcm"]
)
def test_other_transfer_syntaxes_are_read(name):
    assert read_film(SHIPPED / name).pixels.std() > 5


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("SC_rgb_rle_2frame.dcm", "2 frames; a radiograph has one"),
        ("examples_palette.dcm", "PALETTE COLOR is no radiograph's"),
        ("reportsi.dcm", "a DICOM file without pixel data"),
        ("MR_truncated.dcm", "truncated or unreadable DICOM: .*8130 vs 8192 bytes"),
    ],
)
def test_what_is_no_single_radiograph_is_refused_with_the_reason(name, reason):
    with pytest.raises(DataError, match=reason):
        read_film(SHIPPED / name)


def test_pictures_have_no_facts(tmp_path):
    Image.fromarray(FILM).save(tmp_path / "film.png")
    film = read_film(tmp_path / "film.png")
    assert film.facts == Facts()
    assert film.pixels.shape == FILM.shape


class BrokenError(Exception):
    """What no decoder was known to raise."""


def test_an_exception_that_nobody_thought_of_is_this_films_failure(monkeypatch):
    def fail(*_):
        raise BrokenError("0x7f in <module>")

    monkeypatch.setattr(dicom, "stored_values", fail)
    with pytest.raises(Unreadable, match=r"^truncated or unreadable DICOM: an element is damaged"):
        film_of()


PYTHON = ("object", "NoneType", "int()", "b'", "Error", "Traceback", "0x", "<", "{", "unpack", "plugins")


def test_refusals_quote_no_python(tmp_path):
    """Whatever is wrong: seeded damage of every kind of film."""
    said = set()
    for mutant in mutants(150, seed=7):
        try:
            decode_film(mutant.content)
        except Unreadable as problem:
            said.add(str(problem))
    assert len(said) > 10
    assert not [reason for reason in said if any(word in reason.split("starts with")[0] for word in PYTHON)]
