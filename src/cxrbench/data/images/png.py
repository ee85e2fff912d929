"""PNG -> a grey image, through OpenCV, or faster through kornia-rs where that is installed.

Chunks are checked before it: of a file that is cut short or damaged decoders show what they have, and of one that
says its size twice they may allot the one and decode the other. What a decoder does not need for the pixels (profiles,
texts, further frames) is not handed to it.

Source: Portable Network Graphics (PNG) Specification, third edition, W3C, chapters 5 and 11.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cxrbench.data.images.content import PNG_START
from cxrbench.data.images.pixels import (
    ORIENTATION,
    Unreadable,
    check_decoded,
    check_size,
    failures_of,
    oriented,
    stretch,
)

FRAMING = 12
"""Bytes of a chunk beside its content: length, kind, checksum."""
IHDR_BYTES = 13
NEEDED = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
PLAIN_GREY = bytes([8, 0, 0, 0, 0])
"""What follows the size in the header of a picture of 8 bits of grey, not interlaced."""
ONCE = {b"IHDR", b"PLTE", b"tRNS", b"IEND", b"acTL", b"eXIf"}


@dataclass(frozen=True)
class Chunk:
    """One chunk: its kind, its content, and where it lies in the file with its framing."""

    kind: bytes
    content: memoryview
    span: slice


def decode_png(content: bytes) -> NDArray[np.uint8]:
    """Decode any colour model and bit depth, turned as the file's EXIF orientation says.

    Colours become Rec. 601 luma, which keeps equal channels as they are; an alpha channel is dropped; a palette is
    looked up. Pictures of 16 bits do not say how much of their range they use (10, 12, 14 bits ...), so they are
    stretched linearly from their darkest to their brightest pixel.

    Returns:
        (H, W) uint8, 0 black.

    Raises:
        Unreadable: Cut short, damaged, too small, too large, animated, or with chunks that contradict each other.
    """
    chunks = list(_chunks(content))
    _check_order(chunks)
    single = {chunk.kind: chunk.content for chunk in chunks if chunk.kind in ONCE}
    width, height = (int.from_bytes(single[b"IHDR"][start : start + 4]) for start in (0, 4))
    frames = int.from_bytes(single[b"acTL"][:4]) if b"acTL" in single else 1
    check_size(height, width, frames=frames)
    pixels = _plain_grey(content, chunks, height, width)
    if pixels is None:
        pixels = _decoded(content, chunks)
    check_decoded(pixels, height, width)
    return oriented(_as_grey(pixels), _orientation(single.get(b"eXIf")))


def _chunks(content: bytes) -> Iterator[Chunk]:
    """Yield each chunk up to the last, checksums verified."""
    view, start, kind = memoryview(content), len(PNG_START), b""
    while kind != b"IEND":
        end = start + FRAMING + int.from_bytes(view[start : start + 4])
        if end > len(content) or start + FRAMING > len(content):
            raise Unreadable(f"truncated PNG: it breaks off after {len(content):,} bytes")
        kind = content[start + 4 : start + 8]
        if zlib.crc32(view[start + 4 : end - 4]) != int.from_bytes(view[end - 4 : end]):
            raise Unreadable(f"corrupt PNG: the checksum of its {_named(kind)} chunk is wrong")
        yield Chunk(kind, view[start + 8 : end - 4], slice(start, end))
        start = end


def _check_order(chunks: list[Chunk]) -> None:
    """Refuse a file whose first chunk is not its only IHDR, or in which another chunk that comes once comes twice."""
    if chunks[0].kind != b"IHDR" or len(chunks[0].content) != IHDR_BYTES:
        raise Unreadable("corrupt PNG: it does not begin with an IHDR chunk, which says its size")
    seen: set[bytes] = set()
    for kind in (chunk.kind for chunk in chunks if chunk.kind in ONCE):
        if kind in seen:
            raise Unreadable(f"corrupt PNG: it has two {_named(kind)} chunks; one is allowed")
        seen.add(kind)


def _named(kind: bytes) -> str:
    """Return a chunk's kind as messages say it."""
    return kind.decode("ascii", "backslashreplace") if kind.isalnum() else kind.hex()


def _plain_grey(content: bytes, chunks: list[Chunk], height: int, width: int) -> NDArray[np.uint8] | None:
    """Return 8 bits of grey as kornia-rs decodes them; None where OpenCV has to.

    Both give the same pixels. Whatever kornia-rs refuses, OpenCV decides; of a stream whose chunks are sound and whose
    own checksum is not, it says nothing.
    """
    decode = _kornia_decoder()
    is_plain = bytes(chunks[0].content[8:]) == PLAIN_GREY and all(chunk.kind != b"tRNS" for chunk in chunks)
    if decode is None or not is_plain:
        return None
    try:
        pixels = np.asarray(decode(_needed(content, chunks), (height, width), "mono"), dtype=np.uint8)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001 - a panic of its language is no Exception
        return None
    return pixels.reshape(height, width) if pixels.size == height * width else None


@cache
def _kornia_decoder() -> Callable[..., Any] | None:
    """Return the decoder of kornia-rs; None where it is not installed."""
    try:
        return getattr(import_module("kornia_rs.io"), "decode_image_png_u8", None)
    except ImportError:
        return None


def _needed(content: bytes, chunks: list[Chunk]) -> bytes:
    """Return the file without the chunks that its pixels do not need."""
    if all(chunk.kind in NEEDED for chunk in chunks):
        return content
    view = memoryview(content)
    return PNG_START + b"".join(view[chunk.span] for chunk in chunks if chunk.kind in NEEDED)


def _decoded(content: bytes, chunks: list[Chunk]) -> NDArray[Any]:
    """Return what OpenCV makes of the chunks that it needs."""
    pixels = None
    with failures_of("corrupt PNG"):
        pixels = cv2.imdecode(np.frombuffer(_needed(content, chunks), np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise Unreadable("corrupt PNG: its pixels are incomplete or damaged")
    return np.asarray(pixels)


def _as_grey(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """(H, W), (H, W, 3) or (H, W, 4) of 8 or 16 bits, colours in OpenCV's order, as (H, W) of 8 bits."""
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels[..., :3], cv2.COLOR_BGR2GRAY)
    if pixels.dtype == np.uint8:
        return np.asarray(pixels, dtype=np.uint8)
    return stretch(pixels.astype(np.float64), low=float(pixels.min()), high=float(pixels.max()))


def _orientation(exif: memoryview | None) -> object:
    """Return the EXIF orientation; None where there is none, or none that can be read."""
    if exif is None:
        return None
    read = Image.Exif()
    try:
        read.load(bytes(exif))
        return read.get(ORIENTATION)
    except Exception:  # noqa: BLE001 - Pillow raises what it likes on damaged EXIF, which viewers pass over
        return None
