"""TIFF: every depth, one page, nothing that is cut."""

import io
import re

import cv2
import numpy as np
import pytest
from PIL import Image

from cxrbench.data.images import decode
from cxrbench.data.images.pixels import Unreadable
from cxrbench.data.images.tiff import LONGEST_CHAIN, count_pages

GREY = np.random.default_rng(0).integers(0, 256, (24, 32), dtype=np.uint8)
DEEP = np.random.default_rng(1).integers(100, 4000, (24, 32)).astype(np.uint16)
STRETCHED = (DEEP.astype(float) - DEEP.min()) * 255 / (int(DEEP.max()) - int(DEEP.min()))


def encoded(pixels, **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "tiff", **options)
    return stream.getvalue()


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_deflate", "packbits"])
def test_eight_bits_are_kept(compression):
    for pixels in (GREY, np.dstack([GREY] * 3), np.dstack([GREY] * 4)):
        assert np.array_equal(decode(encoded(pixels, compression=compression)), GREY)


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
def test_more_bits_are_stretched(kind):
    assert np.abs(decode(encoded(DEEP.astype(kind))) - STRETCHED).max() <= 0.5


def test_big_endian():
    stream = io.BytesIO()
    Image.frombytes("I;16B", DEEP.shape[::-1], DEEP.astype(">u2").tobytes()).save(stream, "tiff")
    assert stream.getvalue().startswith(b"MM")
    assert np.abs(decode(stream.getvalue()) - STRETCHED).max() <= 0.5


def test_white_is_zero():
    assert np.array_equal(decode(encoded(GREY, tiffinfo={262: 0})), GREY)  # Pillow inverts on writing, too
    assert np.abs(decode(encoded(DEEP, tiffinfo={262: 0})) - (255 - STRETCHED)).max() <= 0.5


def test_sixteen_bit_colours():
    ok, written = cv2.imencode(".tiff", np.dstack([DEEP * 16] * 3))
    assert ok
    assert np.abs(decode(written.tobytes()).astype(int) - DEEP // 16).max() <= 1


def test_several_pages_are_no_radiograph():
    with pytest.raises(Unreadable, match="2 frames; a radiograph has one"):
        decode(encoded(GREY, save_all=True, append_images=[Image.fromarray(GREY)]))


def test_pixels_that_are_no_numbers():
    with pytest.raises(Unreadable, match="no finite numbers"):
        decode(encoded(np.full((20, 20), np.nan, np.float32)))


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_a_tiff_that_is_cut_is_refused(compression):
    """Unless all that is lost is the pointer to a next page."""
    whole = encoded(DEEP, compression=compression)
    for end in range(0, len(whole) - 1, 5):
        try:
            image = decode(whole[:end])
        except Unreadable as problem:
            assert re.search(r"truncated or corrupt TIFF|empty|not a PNG|too few", str(problem))  # noqa: PT017
        else:
            assert end >= len(whole) - 4
            assert np.array_equal(image, decode(whole))


def test_the_header_alone_betrays_a_bomb():
    content = bytearray(encoded(GREY))
    for tag, side in ((256, 32), (257, 24)):  # width, length
        entry = tag.to_bytes(2, "little")
        place = next(
            content.index(entry + kind + (1).to_bytes(4, "little") + side.to_bytes(4, "little"))
            for kind in (b"\x03\x00", b"\x04\x00")
            if entry + kind + (1).to_bytes(4, "little") + side.to_bytes(4, "little") in content
        )
        content[place + 8 : place + 12] = (60_000).to_bytes(4, "little")
    with pytest.raises(Unreadable, match="60000 x 60000 pixels are too many"):
        decode(bytes(content))


def directories(count, *, is_looped=False):
    """A TIFF whose directories are empty, each leading to the next."""
    places = [8 + 6 * number for number in range(count)]
    after = [*places[1:], places[0] if is_looped else 0]
    return b"II\x2a\0" + (8).to_bytes(4, "little") + b"".join(b"\0\0" + one.to_bytes(4, "little") for one in after)


@pytest.mark.parametrize(
    ("content", "pages"),
    [
        (directories(1), 1),
        (directories(3), 3),
        (directories(3, is_looped=True), 3),
        (directories(10**5), LONGEST_CHAIN),
        (b"II\x2a\0", 1),
        (b"II\x2a\0\xff\xff\xff\xff", 1),
    ],
)
def test_chains_of_directories_end(content, pages):
    assert count_pages(content) == pages


def test_pages_of_both_kinds_and_orders():
    one, two = (encoded(GREY, save_all=True, append_images=[Image.fromarray(GREY)] * more) for more in (0, 1))
    big = encoded(GREY, save_all=True, append_images=[Image.fromarray(GREY)] * 2, big_tiff=True)
    assert [count_pages(content) for content in (one, two, big)] == [1, 2, 3]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_that_a_viewer_applies(orientation):
    content = encoded(GREY, tiffinfo={274: orientation})
    assert np.array_equal(decode(content), np.asarray(Image.open(io.BytesIO(content)).convert("L")))
