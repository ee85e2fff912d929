"""JPEG: whole files only, and none that costs more than its pixels are worth."""

import io

import numpy as np
import pytest
from PIL import Image

from cxrbench.data.images import decode
from cxrbench.data.images.jpeg import MAX_SCANS, check_jpeg
from cxrbench.data.images.pixels import Unreadable

GREY = np.random.default_rng(0).integers(0, 256, (24, 32), dtype=np.uint8)


def encoded(picture, kind="jpeg", **options):
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, kind, **options)
    return stream.getvalue()


def test_jpeg_grey_and_colour():
    smooth = np.tile(np.linspace(0, 250, 64, dtype=np.uint8), (64, 1))
    for picture in (smooth, np.dstack([smooth] * 3)):
        assert np.abs(decode(encoded(picture, "jpeg", quality=95)).astype(int) - smooth).max() <= 4


def test_the_orientation_that_a_viewer_applies_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    smooth = np.tile(np.linspace(0, 250, 64, dtype=np.uint8), (32, 1))
    turned = decode(encoded(smooth, "jpeg", quality=95, exif=exif))
    assert turned.shape == (64, 32)
    assert np.abs(turned.astype(int) - np.rot90(smooth, -1)).max() <= 4


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_is_cut_anywhere_is_refused(progressive):
    whole = encoded(np.kron(GREY, np.ones((4, 4), np.uint8)), "jpeg", progressive=progressive)
    assert decode(whole).shape == (96, 128)
    for end in range(len(whole)):
        with pytest.raises(Unreadable, match=r"truncated|empty|not a PNG"):
            decode(whole[:end])


def scans_of(content):
    """The file's scans, without what stands before and after them."""
    first = content.index(b"\xff\xda")
    return content[:first], content[first : content.rindex(b"\xff\xd9")]


@pytest.mark.parametrize("progressive", [False, True])
def test_the_size_is_the_frame_headers(progressive):
    content = encoded(np.kron(GREY, np.ones((4, 4), np.uint8)), progressive=progressive)
    assert check_jpeg(content) == (96, 128)
    assert check_jpeg(content[:100]) is None


def test_thousands_of_scans_are_refused_before_they_are_decoded():
    head, scans = scans_of(encoded(np.kron(GREY, np.ones((4, 4), np.uint8)), progressive=True))
    assert decode(head + scans + b"\xff\xd9").shape == (96, 128)
    with pytest.raises(Unreadable, match=f"a JPEG of more than {MAX_SCANS} scans"):
        decode(head + scans * MAX_SCANS + b"\xff\xd9")


def test_scans_in_a_thumbnail_or_in_pixels_do_not_count():
    content = encoded(GREY, exif=b"Exif\0\0" + b"\xff\xda\0\x08" * 200)
    assert decode(content).shape == GREY.shape


def test_two_frame_headers_are_refused():
    content = encoded(GREY)
    start = content.index(b"\xff\xc0")
    header = content[start : start + 2 + int.from_bytes(content[start + 2 : start + 4])]
    large = header[:5] + (60_000).to_bytes(2) * 2 + header[9:]
    with pytest.raises(Unreadable, match="corrupt JPEG: it has two frame headers"):
        decode(content[:start] + large + content[start:])


def test_a_larger_size_beside_the_frame_header_of_a_jpeg_ls_stream_is_refused():
    preset = b"\xff\xf8\0\x08\x04\x04" + (60_000).to_bytes(4)
    with pytest.raises(Unreadable, match="gives its size outside its frame header"):
        check_jpeg(b"\xff\xd8" + preset)


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + bytes(50)])
def test_damaged_exif_is_passed_over(exif):
    assert np.abs(decode(encoded(GREY, exif=exif, quality=100)).astype(int) - GREY).max() < 10
