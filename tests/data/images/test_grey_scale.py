"""Lookup tables and windows of every form, against dcmtk where it reads them, and against their definitions."""

import io

import numpy as np
import pydicom
import pytest

import grey_scale_films as films
from cxrbench.data.images import decode, decode_film
from cxrbench.data.images.pixels import Unreadable
from dicom_film import film_dataset

R = np.arange(4096)


def every(cells, step):
    """Each ``step``-th cell: the whole grid is the benchmark's."""
    return list(cells)[::step]


CELLS = [
    *every(films.table_cells(entries=(256, 1024, 4096)), 9),
    *every(films.wrong_depth_cells(), 17),
    *every((cell for cell in films.window_cells() if cell.kind == "window"), 23),
    *films.polarity_cells(),
]


@pytest.mark.skipif(not films.has_dcmtk(), reason="needs dcm2pnm of dcmtk, which is not installed")
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_as_dcmtk_shows_it(cell, tmp_path):
    shown = films.shown_by_dcmtk(cell, tmp_path)
    if shown is None:
        pytest.skip("dcmtk refuses this form")
    assert np.abs(decode(cell.content).astype(int) - shown).max() <= 1


def expected_of(entries, depth):
    return np.rint(entries * 255 / (2**depth - 1))


@pytest.mark.parametrize("packing", ["words", "US values", "bytes in words", "packed bytes"])
@pytest.mark.parametrize("first", [0, 100, -200])
def test_a_table_is_looked_up_at_each_value_and_its_ends_reach_on(packing, first):
    entries = (np.arange(1000) * 7 % 256).astype(np.int64)
    item = films.lut_item(entries, 8, packing=packing, first=first)
    content = films.film(12, is_signed=first < 0, VOILUTSequence=[item])
    values = R - (2048 if first < 0 else 0)
    expected = entries[np.clip(values - first, 0, 999)]
    assert np.array_equal(decode(content).ravel(), expected)


@pytest.mark.parametrize("count", [1, 7, 255])
def test_packed_bytes_of_an_odd_count(count):
    entries = np.arange(count) % 256
    item = films.lut_item(entries, 8, packing="packed bytes", first=0)
    item.LUTData = item.LUTData + b"\0" * (len(item.LUTData) % 2)
    shown = decode(films.film(8, VOILUTSequence=[item])).ravel()
    top = (1 << (int(entries.max()).bit_length() or 8)) - 1
    assert np.abs(shown - np.rint(entries[np.clip(np.arange(256), 0, count - 1)] * 255 / top)).max() <= 0.5


def test_entries_of_a_big_endian_file():
    entries = np.rint(np.linspace(0, 4095, 4096)).astype(np.int64)[::-1]
    item = films.lut_item(entries, 12, packing="words", first=0)
    item.LUTData = entries.astype(">u2").tobytes()
    dataset = film_dataset(np.zeros((64, 64), np.uint8), WindowCenter=None, WindowWidth=None, VOILUTSequence=[item])
    dataset.PixelData = R.astype(">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRBigEndian
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    assert np.abs(decode(stream.getvalue()).ravel() - expected_of(entries, 12)).max() <= 0.5


@pytest.mark.parametrize(("declared", "held"), [(16, 12), (16, 8), (12, 16), (0, 12)])
def test_a_table_of_a_wrong_depth_is_shown_by_its_own_maximum_and_that_is_said(declared, held):
    entries = np.rint(np.linspace(0, 2**held - 1, 4096)).astype(np.int64)
    content = films.film(12, VOILUTSequence=[films.lut_item(entries, declared, packing="words", first=0)])
    film = decode_film(content)
    assert np.abs(film.pixels.ravel() - expected_of(entries, held)).max() <= 0.5
    said = f"its VOI LUT is declared of {declared} bits and holds {held}: it is shown by its own maximum"
    assert film.facts.warnings == (said,)


def test_a_sound_table_needs_no_words():
    entries = np.rint(np.linspace(0, 4095, 4096)).astype(np.int64)
    assert (
        decode_film(
            films.film(12, VOILUTSequence=[films.lut_item(entries, 12, packing="words", first=0)])
        ).facts.warnings
        == ()
    )


def test_a_first_value_of_unsigned_vr_is_negative_where_pixels_are():
    entries = np.rint(np.linspace(0, 255, 4096)).astype(np.int64)
    signed = films.lut_item(entries, 8, packing="words", first=-2048)
    unsigned = films.lut_item(entries, 8, packing="words", first=0)
    unsigned.LUTDescriptor = [4096, 2**16 - 2048, 8]
    for name in ("ModalityLUTSequence", "VOILUTSequence"):
        one, other = (films.film(12, is_signed=True, **{name: [item]}) for item in (signed, unsigned))
        assert np.array_equal(decode(one), decode(other))


@pytest.mark.parametrize("packing", ["words", "packed bytes"])
def test_a_table_that_is_cut_is_refused(packing):
    item = films.lut_item(np.arange(4096) % 256, 8, packing=packing, first=0)
    item.LUTData = item.LUTData[:4000]
    with pytest.raises(Unreadable, match="a lookup table of 4,096 entries that has 4,000 bytes"):
        decode(films.film(12, VOILUTSequence=[item]))


def test_a_descriptor_that_is_none_is_refused():
    item = films.lut_item(R, 12, packing="words", first=0)
    item.LUTDescriptor = [4096, 0]
    with pytest.raises(Unreadable, match="LUT Descriptor has not three values"):
        decode(films.film(12, VOILUTSequence=[item]))


def shown_by(**elements):
    return decode(films.film(12, **elements)).ravel()


@pytest.mark.parametrize(
    ("function", "width", "expected"),
    [
        ("LINEAR", 1000, lambda x: (x - 1999.5) / 999 + 0.5),
        ("LINEAR_EXACT", 1000, lambda x: (x - 2000) / 1000 + 0.5),
        ("LINEAR_EXACT", 0.5, lambda x: (x - 2000) / 0.5 + 0.5),
        ("SIGMOID", 0.5, lambda x: 1 / (1 + np.exp(np.clip(-4 * (x - 2000) / 0.5, -700, 700)))),
        ("LINEAR", 1, lambda x: x > 1999.5),
        ("UNKNOWN", 1000, lambda x: (x - 1999.5) / 999 + 0.5),
        (None, 1000, lambda x: (x - 1999.5) / 999 + 0.5),
    ],
)
def test_windows_by_their_definitions(function, width, expected):
    shown = shown_by(WindowCenter=2000, WindowWidth=width, VOILUTFunction=function)
    assert np.abs(shown - 255 * np.clip(expected(R.astype(float)), 0, 1)).max() <= 0.501


@pytest.mark.parametrize("width", [0, -1, -4096, 0.5])
def test_a_window_that_is_none_leaves_the_next_or_the_whole_range(width):
    film = decode_film(films.film(12, WindowCenter=2000, WindowWidth=width))
    assert np.array_equal(film.pixels.ravel(), shown_by())
    assert film.facts.warnings == (f"a window of width {width:g} is none: the whole range is shown",)
    several = shown_by(WindowCenter=[2000, 1000], WindowWidth=[width, 400])
    assert np.array_equal(several, shown_by(WindowCenter=1000, WindowWidth=400))


def test_identity_beside_monochrome1_is_told():
    film = decode_film(films.film(12, PresentationLUTShape="IDENTITY", PhotometricInterpretation="MONOCHROME1"))
    assert np.array_equal(film.pixels.ravel(), shown_by())
    assert film.facts.warnings[0].startswith(
        "Presentation LUT Shape IDENTITY with MONOCHROME1: shown without inversion"
    )


@pytest.mark.parametrize(
    ("signed", "padding", "vr", "found"),
    [
        (True, -2000, "SS", 48), (True, 2**16 - 2000, "US", 48), (False, 4095, "US", 4095), (False, 4095, "SS", 4095),
        (False, -1, "SS", None),
    ],
)  # fmt: skip
def test_padding_by_its_bits_whatever_its_vr(signed, padding, vr, found):
    dataset = pydicom.dcmread(io.BytesIO(films.film(12, is_signed=signed)))
    dataset.add_new("PixelPaddingValue", vr, padding)
    stream = io.BytesIO()
    dataset.save_as(stream)
    black, plain = decode(stream.getvalue()).ravel() == 0, shown_by(is_signed=signed) == 0
    # Beside the padding only the darkest few values are black.
    assert set(np.flatnonzero(black & ~plain)) == ({found} if found else set())
