"""PNG: every colour model and depth, nothing that is damaged, nothing that says two sizes."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from cxrbench.data.images import decode, png, read_grey
from cxrbench.data.images.pixels import MAX_PIXELS, Unreadable

GREY = np.random.default_rng(0).integers(0, 256, (24, 32), dtype=np.uint8)
COLOURS = np.random.default_rng(1).integers(0, 256, (24, 32, 3), dtype=np.uint8)
LUMA = COLOURS @ np.array([0.299, 0.587, 0.114])


def encoded(picture, kind="png", **options):
    stream = io.BytesIO()
    (Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture).save(stream, kind, **options)
    return stream.getvalue()


def rgba(channels):
    """Colours with an alpha channel that would change them, were it applied."""
    alpha = np.random.default_rng(2).integers(0, 256, channels.shape[:2], dtype=np.uint8)
    return np.dstack([channels, alpha])


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of(*chunks):
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk(b"IEND", b"")


def header(width, height, depth=8, colour=0):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))


@pytest.mark.parametrize(
    "picture",
    [GREY, np.dstack([GREY] * 3), rgba(np.dstack([GREY] * 3)), Image.fromarray(GREY).quantize(256)],
    ids=["grey", "RGB", "RGBA", "palette"],
)
def test_grey_is_kept_exactly_in_every_colour_model(picture):
    if isinstance(picture, Image.Image):
        expected = np.asarray(picture.convert("L"))
        assert len(np.unique(expected)) > 100
    else:
        expected = GREY
    image = decode(encoded(picture))
    assert (image.dtype, image.shape) == (np.uint8, (24, 32))
    assert np.array_equal(image, expected)


@pytest.mark.parametrize("picture", [COLOURS, rgba(COLOURS)], ids=["RGB", "RGBA"])
def test_colours_become_luma_and_alpha_does_not_matter(picture):
    assert np.abs(decode(encoded(picture)) - LUMA).max() <= 0.51


def test_a_palette_is_looked_up():
    picture = Image.fromarray(np.arange(24 * 24, dtype=np.uint8).reshape(24, 24) % 3, mode=None)
    indexed = Image.frombytes("P", (24, 24), picture.tobytes())
    indexed.putpalette([200, 200, 200, 0, 0, 0, 90, 90, 90])
    assert decode(encoded(indexed))[0, :4].tolist() == [200, 0, 90, 200]
    assert decode(encoded(indexed, transparency=1))[0, :4].tolist() == [200, 0, 90, 200]


def test_grey_with_alpha_keeps_its_grey():
    assert np.array_equal(decode(encoded(Image.fromarray(np.dstack([GREY, GREY[::-1]]), mode=None))), GREY)


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_sixteen_bits_are_stretched_from_darkest_to_brightest(bits):
    deep = np.random.default_rng(0).integers(100, 2**bits, (24, 32)).astype(np.uint16)
    low, high = int(deep.min()), int(deep.max())
    image = decode(encoded(deep))
    assert np.abs(image - (deep - low) * (255 / (high - low))).max() <= 0.5
    assert (image.min(), image.max()) == (0, 255)


def test_a_uniform_sixteen_bit_picture_is_black():
    assert not decode(encoded(np.full((20, 20), 4000, np.uint16))).any()


def test_one_bit_per_pixel():
    assert np.array_equal(decode(encoded(Image.fromarray(GREY > 99))), np.where(GREY > 99, 255, 0))


@pytest.mark.parametrize("picture", [GREY, COLOURS, rgba(COLOURS)], ids=["grey", "RGB", "RGBA"])
def test_a_png_that_is_cut_anywhere_is_refused(picture):
    whole = encoded(picture)
    for end in range(len(whole)):
        with pytest.raises(Unreadable, match=r"truncated|empty|not a PNG"):
            decode(whole[:end])


def test_a_png_cut_within_any_of_many_chunks_is_refused():
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in GREY))
    parts = [pixels[i : i + 100] for i in range(0, len(pixels), 100)]
    whole = png_of(header(32, 24), *(chunk(b"IDAT", part) for part in parts))
    assert np.array_equal(decode(whole), GREY)
    for end in range(len(whole)):
        with pytest.raises(Unreadable, match=r"truncated|empty|not a PNG"):
            decode(whole[:end])


@given(place=st.integers(0), flip=st.integers(1, 255))
def test_a_png_with_any_changed_byte_is_refused(place, flip):
    content = bytearray(encoded(GREY))
    content[place % len(content)] ^= flip
    with pytest.raises(Unreadable, match=r"corrupt|truncated|not a PNG"):
        decode(bytes(content))


def test_a_png_whose_pixels_end_too_early_is_refused():
    half = zlib.compress(b"".join(b"\0" + row.tobytes() for row in GREY[:12]))
    with pytest.raises(Unreadable, match="corrupt PNG: its pixels are incomplete or damaged"):
        decode(png_of(header(32, 24), chunk(b"IDAT", half)))


def test_a_png_without_pixels_is_refused():
    with pytest.raises(Unreadable, match="corrupt PNG: its pixels are incomplete or damaged"):
        decode(png_of(header(32, 24)))


def test_the_header_alone_betrays_a_decompression_bomb():
    side = int(MAX_PIXELS**0.5) + 1
    bomb = png_of(header(side, side), chunk(b"IDAT", b""))
    with pytest.raises(Unreadable, match=rf"{side} x {side} pixels are too many"):
        decode(bomb)
    with pytest.raises(Unreadable, match="4000000 x 4000000 pixels are too many"):
        decode(png_of(header(4_000_000, 4_000_000), chunk(b"IDAT", b"")))


def test_a_picture_of_one_pixel_is_no_radiograph():
    with pytest.raises(Unreadable, match="1 x 1 pixels are too few for a radiograph"):
        decode(encoded(GREY[:1, :1]))


def test_an_animation_is_no_radiograph():
    frames = [Image.fromarray(GREY), Image.fromarray(GREY[::-1])]
    with pytest.raises(Unreadable, match="2 frames; a radiograph has one"):
        decode(encoded(frames[0], save_all=True, append_images=frames[1:]))


def test_real_films_in_grey_and_rgba(shared):
    folder = shared("nih-sample") / "images"
    modes = {}
    for path in sorted(folder.iterdir())[:40]:
        with Image.open(path) as picture:
            modes.setdefault(picture.mode, (path, np.asarray(picture)))
    assert set(modes) == {"L", "RGBA"}
    for path, pixels in modes.values():
        first = pixels if pixels.ndim == 2 else pixels[..., 0]
        assert np.array_equal(read_grey(path), first)


TEXT = chunk(b"tEXt", b"Comment\0nothing")


def pixels_of(grey=GREY):
    return chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in grey)))


@pytest.mark.parametrize(
    ("chunks", "reason"),
    [
        ((header(32, 24), header(32, 24), pixels_of()), "it has two IHDR chunks"),
        ((header(32, 24), pixels_of(), header(4000, 4000)), "it has two IHDR chunks"),
        ((header(4000, 4000), TEXT, header(32, 24), pixels_of()), "it has two IHDR chunks"),
        ((TEXT, header(32, 24), pixels_of()), "it does not begin with an IHDR chunk"),
        ((pixels_of(), header(32, 24)), "it does not begin with an IHDR chunk"),
        ((), "it does not begin with an IHDR chunk"),
        ((chunk(b"IHDR", b"\0\0\0\x20"), pixels_of()), "it does not begin with an IHDR chunk"),
        ((header(32, 24), chunk(b"PLTE", b"abc"), chunk(b"PLTE", b"abc"), pixels_of()), "it has two PLTE chunks"),
    ],
)
def test_a_size_is_said_first_and_once(chunks, reason):
    with pytest.raises(Unreadable, match=f"corrupt PNG: {reason}"):
        decode(png_of(*chunks))


@pytest.fixture
def _opencv_alone(monkeypatch):
    monkeypatch.setattr(png, "_kornia_decoder", lambda: None)


@pytest.mark.usefixtures("_opencv_alone")
def test_whatever_the_decoder_raises_is_this_films_failure(monkeypatch):
    def fail(*_):
        raise cv2.error("OpenCV(5.0.0) error: (-215:Assertion failed)")

    monkeypatch.setattr(cv2, "imdecode", fail)
    with pytest.raises(Unreadable, match=r"^corrupt PNG: its pixels cannot be decoded$"):
        decode(png_of(header(32, 24), pixels_of()))


@pytest.mark.usefixtures("_opencv_alone")
def test_pixels_of_another_size_than_the_header_says_are_refused(monkeypatch):
    monkeypatch.setattr(cv2, "imdecode", lambda *_: np.zeros((100, 100), np.uint8))
    with pytest.raises(Unreadable, match="the header says 32 x 24 pixels, its decoder found 100 x 100"):
        decode(png_of(header(32, 24), pixels_of()))


@pytest.mark.usefixtures("_opencv_alone")
def test_profiles_and_texts_do_not_reach_the_decoder(monkeypatch):
    """One of a kilobyte may unpack to gigabytes."""
    handed = []
    whole = cv2.imdecode
    monkeypatch.setattr(cv2, "imdecode", lambda content, flags: handed.append(bytes(content)) or whole(content, flags))
    bomb = zlib.compress(bytes(10**6))
    extra = chunk(b"iCCP", b"x\0\0" + bomb), chunk(b"zTXt", b"x\0\0" + bomb), chunk(b"gAMA", (10_000).to_bytes(4))
    assert np.array_equal(decode(png_of(header(32, 24), *extra, pixels_of(), TEXT)), GREY)
    assert handed == [png_of(header(32, 24), pixels_of())]


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("picture", [GREY, COLOURS], ids=["grey", "RGB"])
def test_the_orientation_that_a_viewer_applies(orientation, picture):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(picture, exif=exif)
    viewed = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    assert np.array_equal(decode(content), decode(encoded(np.asarray(viewed))))


@pytest.mark.parametrize("exif", [b"", b"II", b"MM\0*\0\0\0\x08\xff\xff", bytes(100)])
def test_damaged_exif_is_passed_over(exif):
    assert np.array_equal(decode(png_of(header(32, 24), chunk(b"eXIf", exif), pixels_of())), GREY)


@pytest.fixture(params=["with kornia-rs", "without"])
def either_decoder(request, monkeypatch):
    """Both ways to decode 8 bits of grey; with kornia-rs only where it is installed."""
    if request.param == "without":
        monkeypatch.setattr(png, "_kornia_decoder", lambda: None)
    elif png._kornia_decoder() is None:
        pytest.skip("needs kornia-rs, the extra `fast`, which is not installed")


@pytest.mark.usefixtures("either_decoder")
@pytest.mark.parametrize("options", [{}, {"compress_level": 0}, {"optimize": True}])
def test_both_decoders_give_the_same_pixels(options):
    assert np.array_equal(decode(encoded(GREY, **options)), GREY)


@pytest.mark.usefixtures("either_decoder")
def test_pixels_that_end_too_early_are_refused_by_both_decoders():
    half = zlib.compress(b"".join(b"\0" + row.tobytes() for row in GREY[:12]))
    with pytest.raises(Unreadable, match="corrupt PNG: its pixels are incomplete or damaged"):
        decode(png_of(header(32, 24), chunk(b"IDAT", half)))


class PanicError(BaseException):
    """As the library's own, which is no Exception."""


@pytest.mark.parametrize("error", [ValueError, PanicError])
def test_what_the_faster_decoder_refuses_opencv_decides(error, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr(png, "_kornia_decoder", lambda: fail)
    assert np.array_equal(decode(encoded(GREY)), GREY)
