"""PNG -> a grey image; a file that is cut short or damaged is refused, where decoders go on with what they have.

Source: Portable Network Graphics (PNG) Specification, W3C, chapters 5 and 11.
"""

import zlib
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cxrbench.data.images.pixels import Unreadable, check_size, stretch

START = b"\x89PNG\r\n\x1a\n"
FRAMING = 12
"""Bytes of a chunk beside its content: length, kind, checksum."""


def decode_png(content: bytes) -> NDArray[np.uint8]:
    """Decode any colour model and bit depth.

    Colours become Rec. 601 luma, which keeps equal channels as they are; an alpha channel is dropped; a palette is
    looked up. Pictures of 16 bits do not say how much of their range they use (10, 12, 14 bits ...), so they are
    stretched linearly from their darkest to their brightest pixel.

    Returns:
        (H, W) uint8, 0 black.

    Raises:
        Unreadable: Cut short, damaged, too small, too large, or animated.
    """
    chunks = dict(_chunks(content))
    head = chunks.get(b"IHDR", b"")
    frames = int.from_bytes(chunks[b"acTL"][:4]) if b"acTL" in chunks else 1
    check_size(int.from_bytes(head[4:8]), int.from_bytes(head[:4]), frames=frames)
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise Unreadable("corrupt PNG: its pixels are incomplete or damaged")
    return _as_grey(pixels)


def _chunks(content: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Kind and content of each chunk up to the last, checksums verified."""
    view, start, kind = memoryview(content), len(START), b""
    while kind != b"IEND":
        end = start + FRAMING + int.from_bytes(view[start : start + 4])
        if end > len(content) or start + FRAMING > len(content):
            raise Unreadable(f"truncated PNG: it breaks off after {len(content):,} bytes")
        kind = content[start + 4 : start + 8]
        if zlib.crc32(view[start + 4 : end - 4]) != int.from_bytes(view[end - 4 : end]):
            raise Unreadable(f"corrupt PNG: the checksum of its {kind!r} chunk is wrong")
        yield kind, view[start + 8 : end - 4]
        start = end


def _as_grey(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """(H, W), (H, W, 3) or (H, W, 4) of 8 or 16 bits, colours in OpenCV's order, as (H, W) of 8 bits."""
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels[..., :3], cv2.COLOR_BGR2GRAY)
    if pixels.dtype == np.uint8:
        return np.asarray(pixels, dtype=np.uint8)
    return stretch(pixels.astype(np.float64), low=float(pixels.min()), high=float(pixels.max()))
