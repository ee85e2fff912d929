"""DICOM that unpacks to more than it says."""

import io
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import get_frame

from cxrbench.data.images import decode
from cxrbench.data.images.bombs import stream_size
from cxrbench.data.images.pixels import Unreadable

SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"


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
    with pytest.raises(Unreadable, match="truncated or unreadable DICOM: Error -"):
        decode(whole[:3000])


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
