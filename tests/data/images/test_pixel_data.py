"""Compressed pixels: sizes are compared before memory is taken, syntaxes refused by name, damage kills no decoder."""

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pydicom
import pytest
from pydicom.encaps import get_frame
from pydicom.uid import JPEG2000Lossless, RLELossless

from cxrbench.data.images import decode, pixel_data, read_film
from cxrbench.data.images.pixel_data import decode_deep_jpeg, is_deep_jpeg, stream_size
from cxrbench.data.images.pixels import Unreadable
from cxrbench.data.sandbox import KILLED
from cxrbench.predict import Request
from cxrbench.predict.decoding import decoded
from dicom_film import film_dataset

SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"
DEEP = SHIPPED / "JPGExtended.dcm"
FILM = np.random.default_rng(0).integers(0, 256, (24, 32)).astype(np.uint8)


SQUARE = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
"""As large as JPEG 2000's six resolutions need."""


def written(dataset):
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        ("1.2.840.113619.5.2", "GE private implicit VR"),
        ("1.2.840.10008.1.2.4.52", "JPEG Extended"),
        ("1.2.840.10008.1.2.4.100", "MPEG2"),
        ("1.2.840.10008.1.2.4.94", "JPIP Referenced"),
        ("1.2.840.10008.1.20", "Papyrus 3"),
        ("1.2.3.4", "private"),
    ],
)
def test_a_private_or_retired_transfer_syntax_is_refused_by_its_name(syntax, name):
    whole = written(film_dataset(FILM))
    uid = syntax.encode() + b"\0" * (len(syntax) % 2)
    meta = b"\x02\x00\x10\x00UI" + len(uid).to_bytes(2, "little") + uid
    content = whole[:132] + meta + whole[144 + int.from_bytes(whole[140:144], "little") :]
    with pytest.raises(
        Unreadable, match=rf"DICOM file in transfer syntax {syntax} \({name}.*not read; export the film uncompressed"
    ):
        decode(content)


def test_a_decoder_that_is_not_installed_is_named(monkeypatch):
    lacking = SimpleNamespace(is_available=False, missing_dependencies=["pylibjpeg - requires pylibjpeg-openjpeg>=2.0"])
    monkeypatch.setattr(pixel_data, "get_decoder", lambda syntax: lacking)
    dataset = film_dataset(FILM)
    dataset.compress(RLELossless)
    with pytest.raises(Unreadable, match=r"\(RLE Lossless\), whose decoder is not installed: pylibjpeg - requires"):
        decode(written(dataset))


def jp2(codestream, *, before=b""):
    """A JPEG 2000 file: its signature, another box, and the codestream's."""
    other = (8 + len(before)).to_bytes(4) + b"uuid" + before
    return b"\0\0\0\x0cjP  \r\n\x87\n" + other + (8 + len(codestream)).to_bytes(4) + b"jp2c" + codestream


def test_a_decoy_before_the_codestream_does_not_count():
    """A box that looks like a codestream of the size that the data set says."""
    dataset = film_dataset(SQUARE)
    dataset.compress(JPEG2000Lossless, generate_instance_uid=False)
    stream = get_frame(dataset.PixelData, 0, number_of_frames=1)
    start = stream.index(b"\xff\x4f\xff\x51")
    decoy, large = stream[start : start + 40], bytearray(stream[start:])
    large[8:16] = (40_000).to_bytes(4) * 2
    assert stream_size(jp2(stream[start:])) == SQUARE.shape
    assert stream_size(jp2(bytes(large), before=decoy)) == (40_000, 40_000)


def test_a_compressed_image_without_a_size_is_refused():
    dataset = film_dataset(SQUARE)
    dataset.compress(JPEG2000Lossless, generate_instance_uid=False)
    dataset.PixelData = pydicom.encaps.encapsulate([b"no image at all"])
    with pytest.raises(Unreadable, match="its compressed image has no header that gives its size"):
        decode(written(dataset))


@pytest.mark.parametrize(
    "name",
    [
        "JPEG2000",
        "MR_small_jp2klossless",
        "MR_small_jpeg_ls_lossless",
        "SC_rgb_jpeg_gdcm",
        "SC_rgb_dcmtk_+eb+cr",
        "JPGExtended",
    ],
)
def test_the_size_in_a_streams_own_header(name):
    dataset = pydicom.dcmread(SHIPPED / f"{name}.dcm")
    assert stream_size(get_frame(dataset.PixelData, 0, number_of_frames=1)) == (dataset.Rows, dataset.Columns)


def test_other_streams_have_no_size_of_their_own():
    assert stream_size(b"") is None
    assert stream_size(b"\xff\xd8\xff\xe0\x00\x02") is None


@pytest.mark.parametrize("name", ["MR_small_jp2klossless", "MR_small_jpeg_ls_lossless"])
def test_a_compressed_image_of_another_size_is_refused_before_it_is_decoded(name):
    dataset = pydicom.dcmread(SHIPPED / f"{name}.dcm")
    stream = get_frame(dataset.PixelData, 0, number_of_frames=1)
    large = stream.replace((64).to_bytes(4), (60_000).to_bytes(4)).replace(
        (64).to_bytes(2) * 2, (60_000).to_bytes(2) * 2, 1
    )
    assert large != stream
    written = io.BytesIO()
    dataset.PixelData = pydicom.encaps.encapsulate([large])
    dataset.save_as(written)
    with pytest.raises(Unreadable, match="the header says 64 x 64 pixels, the compressed image 60000 x 60000"):
        decode(written.getvalue())


@pytest.mark.parametrize("name", ["MR_small_jp2klossless", "MR_small_jpeg_ls_lossless", "MR_small_RLE", "MR_small"])
def test_damaged_files_give_an_answer_or_a_refusal(name):
    whole = (SHIPPED / f"{name}.dcm").read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(40):
        damaged = bytearray(whole)
        for place in rng.integers(132, len(whole), size=rng.integers(1, 30)):
            damaged[place] = rng.integers(256)
        try:
            image = decode(bytes(damaged))
        except Unreadable:
            refused += 1
        else:
            assert image.dtype == np.uint8
    assert refused > 0


def test_stored_values_are_those_that_other_decoders_give():
    dataset = pydicom.dcmread(DEEP)
    assert is_deep_jpeg(dataset)
    stored = decode_deep_jpeg(dataset)
    assert (stored.dtype, stored.shape) == (np.uint16, (1024, 256))
    # pydicom's own tests expect these of this file.
    assert (stored[420, 140], stored[230, 120]) == (244, 95)


def test_the_film_is_shown(capfd):
    film = read_film(DEEP)
    assert film.pixels.shape == (1024, 256)
    assert film.pixels.std() > 5
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("dropped", [1, 20, 3000])
def test_a_stream_that_is_cut_short_is_refused(dropped):
    content = DEEP.read_bytes()
    end = content.rindex(b"\xff\xd9") + 2
    cut = content[: end - dropped - 1] + bytes(dropped + 1) + content[end:]
    with pytest.raises(Unreadable, match="truncated or corrupt JPEG Extended pixels"):
        decode(cut)


@pytest.mark.parametrize(("name", "value"), [("PixelRepresentation", 1), ("BitsAllocated", 32), ("BitsStored", 16)])
def test_what_this_syntax_does_not_allow_is_refused(name, value):
    dataset = pydicom.dcmread(DEEP)
    setattr(dataset, name, value)
    with pytest.raises(Unreadable, match="not unsigned, of 16 bits allocated and 12 stored"):
        decode_deep_jpeg(dataset)


def test_damaged_streams_end_no_decoder(tmp_path):
    content, rng = DEEP.read_bytes(), np.random.default_rng(0)
    start = content.index(b"\xff\xd8\xff")
    requests = []
    for number in range(60):
        changed = bytearray(content)
        for place in rng.integers(start, start + (700 if number % 2 else len(content) - start), 4):
            changed[place] ^= int(rng.integers(1, 256))
        requests.append(Request(path=tmp_path / f"{number}.dcm"))
        requests[-1].path.write_bytes(changed)
    outcomes = [outcome for _, outcome in decoded(requests, (64,), workers=1)]
    assert len(outcomes) == 60
    assert KILLED not in outcomes
    assert any(isinstance(outcome, str) for outcome in outcomes)
