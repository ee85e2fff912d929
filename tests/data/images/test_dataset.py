"""DICOM as exporters write it: with empty elements, without preamble, or without what pixels need."""

import io
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.datadict import DicomDictionary
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from cxrbench.data.images import dataset as datasets
from cxrbench.data.images import decode, decode_film
from cxrbench.data.images.content import is_dicom, is_image
from cxrbench.data.images.dataset import OPTIONAL, REQUIRED
from cxrbench.data.images.pixels import Unreadable
from cxrbench.pacs.source import IDENTITY, read_source
from dicom_film import OWN, film_dataset

SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"
FILM = np.random.default_rng(0).integers(0, 256, (24, 32)).astype(np.uint8)
WITHOUT = {name: None for name in OWN if name not in {"SOPClassUID", *REQUIRED}}
"""A film that says nothing but what its pixels need."""
KEPT = {*REQUIRED, "PixelData", "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"}
EVERY = [
    entry[4]
    for tag, entry in DicomDictionary.items()
    if tag >> 16 in {0x0008, 0x0010, 0x0012, 0x0018, 0x0020, 0x0028, 0x0054, 0x2050}
    and entry[4] not in KEPT
    and not entry[3]
]
"""Elements of the standard about identity, patient, acquisition, image and presentation."""


def written(dataset, **options):
    stream = io.BytesIO()
    dataset.save_as(stream, **(options or {"enforce_file_format": True}))
    return stream.getvalue()


def plain():
    return film_dataset(FILM, **WITHOUT)


def with_empty(*names):
    dataset = plain()
    for name in names:
        entry = DicomDictionary[pydicom.datadict.tag_for_keyword(name)]
        vr = entry[0].split(" or ")[0]
        dataset.add_new(name, vr, [] if vr == "SQ" else None)
    return written(dataset)


def same(one, other):
    return np.array_equal(one.pixels, other.pixels) and one.facts == other.facts


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_empty_element_reads_as_if_it_were_absent(name):
    assert same(decode_film(with_empty(name)), decode_film(written(plain())))


def test_so_do_all_elements_together_even_those_that_nobody_thought_of():
    assert {*OPTIONAL, *IDENTITY} <= {*EVERY, "StudyInstanceUID"}
    assert same(decode_film(with_empty(*EVERY)), decode_film(written(plain())))


@pytest.mark.parametrize("name", [name for name in (*OPTIONAL, *IDENTITY) if name != "StudyInstanceUID"])
def test_results_refer_to_a_film_with_empty_elements_as_to_one_without(tmp_path, name):
    (tmp_path / "film.dcm").write_bytes(with_empty(name))
    (tmp_path / "without.dcm").write_bytes(written(plain()))
    source, expected = (read_source(tmp_path / each) for each in ("film.dcm", "without.dcm"))
    for each in (source, expected):
        for uid in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
            each.image.pop(uid, None)
            each.identity.pop(uid, None)
    assert (source.image, source.identity) == (expected.image, expected.identity)


@pytest.mark.parametrize("window", [{"WindowCenter": 2048, "WindowWidth": 4096}, {}])
def test_an_empty_lookup_table_leaves_the_window(window):
    dataset = film_dataset(FILM, **WITHOUT | window)
    expected = decode(written(dataset))
    dataset.VOILUTSequence = []
    dataset.ModalityLUTSequence = []
    assert np.array_equal(decode(written(dataset)), expected)


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("is_empty", [False, True])
def test_what_pixels_need_is_named_where_it_lacks(name, is_empty):
    dataset = plain()
    dataset["PixelData"].VR = "OW"  # which the writer would else derive from what lacks
    if is_empty:
        dataset[name].value = None
    else:
        delattr(dataset, name)
    with pytest.raises(Unreadable, match=f"a DICOM image that lacks {name}$"):
        decode(written(dataset))


def test_all_that_lacks_is_named_at_once():
    dataset = plain()
    del dataset.Rows, dataset.PhotometricInterpretation
    with pytest.raises(Unreadable, match="lacks Rows, PhotometricInterpretation"):
        decode(written(dataset))


def test_code_words_in_lower_case_are_understood():
    with pydicom.config.disable_value_validation():
        content = written(film_dataset(FILM, PhotometricInterpretation="monochrome1"))
    assert np.array_equal(decode(content), decode(written(film_dataset(FILM, PhotometricInterpretation="MONOCHROME1"))))


@pytest.mark.parametrize("name", ["ModalityLUTSequence", "VOILUTSequence"])
@pytest.mark.parametrize(
    "parts", [(), ("LUTDescriptor",), ("LUTData",), ("LUTDescriptor", "LUTExplanation", "LUTData")]
)
def test_a_lookup_table_without_descriptor_or_entries_is_none(name, parts):
    """Some exporters write the item of a table, with its elements empty, where they have none."""
    item = pydicom.Dataset()
    for part in parts:
        item.add_new(part, "LO" if part == "LUTExplanation" else "US", [] if len(parts) > 1 else [256, 0, 8])
    dataset = film_dataset(FILM, **WITHOUT | {"WindowCenter": 2048, "WindowWidth": 4096})
    expected = decode(written(dataset))
    setattr(dataset, name, [item])
    assert np.array_equal(decode(written(dataset)), expected)


def test_of_several_tables_the_first_whole_one_counts():
    whole = pydicom.Dataset()
    whole.LUTDescriptor, whole.LUTData = [4096, 0, 8], (np.arange(4096) // 16).astype("<u2").tobytes()
    dataset = plain()
    dataset.VOILUTSequence = [pydicom.Dataset(), whole]
    assert np.abs(decode(written(dataset)).astype(int) - FILM).max() <= 1


def test_bits_that_are_not_the_lowest_are_refused_instead_of_read_as_noise():
    high = (FILM.astype(np.uint16) << 8).tobytes()
    dataset = film_dataset(FILM, HighBit=15, PixelData=high)
    with pytest.raises(Unreadable, match="High Bit 15 with 12 Bits Stored"):
        decode(written(dataset))


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
@pytest.mark.parametrize("has_meta", [True, False])
def test_a_file_without_preamble_is_read(tmp_path, syntax, has_meta):
    dataset = film_dataset(FILM)
    dataset.file_meta.TransferSyntaxUID = syntax
    whole = written(dataset)
    start = 132 if has_meta else 144 + int.from_bytes(whole[140:144], "little")
    bare = whole[start:]
    assert is_dicom(bare)
    (tmp_path / "film").write_bytes(bare)
    assert is_image(tmp_path / "film")
    assert same(decode_film(bare), decode_film(whole))
    assert read_source(tmp_path / "film").uid == dataset.SOPInstanceUID


def test_file_meta_information_without_transfer_syntax():
    dataset = film_dataset(FILM)
    whole = written(dataset)
    del dataset.file_meta.TransferSyntaxUID
    lacking = written(dataset, implicit_vr=False, little_endian=True, enforce_file_format=False)
    assert same(decode_film(lacking), decode_film(whole))


def test_big_endian_pixels_are_told_by_the_data_set():
    dataset = film_dataset(FILM)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dataset.PixelData = (FILM.astype(">u2") << 4).astype(">u2").tobytes()
    whole = written(dataset)
    assert np.array_equal(decode(whole), decode(written(film_dataset(FILM))))


def test_compressed_pixels_of_unknown_syntax_are_refused():
    dataset = film_dataset(FILM)
    dataset.compress(RLELossless)
    whole = written(dataset)
    bare = whole[144 + int.from_bytes(whole[140:144], "little") :]
    with pytest.raises(Unreadable, match="compressed pixels that lacks the Transfer Syntax UID"):
        decode(bare)


@pytest.mark.parametrize(
    "content", [b"", b"\x08\x00", b"GIF89a", b"BM6\x04", b"PK\x03\x04", b"%PDF-1.4", b"\x7fELF", b"MZ\x90\x00"]
)
def test_other_files_are_no_dicom(content):
    assert not is_dicom(content)


def test_a_bare_file_that_is_cut_anywhere_is_refused():
    whole = written(film_dataset(FILM))[132:]
    for end in range(1, len(whole) - 1, 31):
        with pytest.raises(Unreadable, match="DICOM"):
            decode(whole[:end])


def deflated(inflated):
    whole = (SHIPPED / "image_dfl.dcm").read_bytes()
    end = 144 + int.from_bytes(whole[140:144], "little")
    packer = zlib.compressobj(wbits=-15)
    return whole[:end] + packer.compress(inflated) + packer.flush()


def test_a_data_set_that_inflates_without_end_is_refused():
    with pytest.raises(Unreadable, match="it inflates to more than 536,870,912 bytes"):
        decode(deflated(bytes(2**29 + 1)))


def test_a_deflated_data_set_that_is_cut_is_refused():
    whole = (SHIPPED / "image_dfl.dcm").read_bytes()
    assert decode(whole).shape == (512, 512)
    with pytest.raises(
        Unreadable, match="truncated or unreadable DICOM: its deflated data set is cut short or damaged"
    ):
        decode(whole[:3000])


def with_meta(dataset, *, length=None, padding=0):
    """A file with another length of its file meta information, or so many bytes more of it."""
    dataset.file_meta.PrivateInformationCreatorUID = "1.2.3"
    dataset.file_meta.PrivateInformation = bytes(padding)
    whole = bytearray(written(dataset))
    if length is not None:
        whole[140:144] = length.to_bytes(4, "little")
    return bytes(whole)


@pytest.mark.parametrize(("length", "padding"), [(0, 0), (2**32 - 1, 0), (None, 6000), (6, 6000)])
def test_a_bomb_is_found_whatever_the_file_says_of_its_meta_information(length, padding, monkeypatch):
    monkeypatch.setattr(datasets, "MAX_INFLATED", 1000)
    dataset = film_dataset(FILM)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    with pytest.raises(Unreadable, match="it inflates to more than 1,000 bytes"):
        decode(with_meta(dataset, length=length, padding=padding))
