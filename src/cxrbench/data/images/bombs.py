"""DICOM that says one size and unpacks to another, found before memory is taken.

Source: DICOM PS3.5 A.5 (deflated), ITU-T T.81 B.2.2 (JPEG frame header), T.87 C.2.2 (JPEG-LS), T.800 A.5.1 (JPEG 2000).
"""

import zlib

import pydicom
from pydicom.encaps import get_frame

from cxrbench.data.images.pixels import Unreadable

DEFLATED = b"1.2.840.10008.1.2.1.99"
META_START, META_LENGTH_AT = 144, 140
"""Where the elements after the file meta group's length begin, and where that length is."""
MAX_INFLATED = 2**29
"""Bytes; the largest radiograph, of 16 bits, has 2**27."""

JPEG_2000 = b"\xff\x4f\xff\x51"
JPEG = b"\xff\xd8"
FRAME_HEADERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
"""Second bytes of JPEG's and JPEG-LS's markers whose segment holds height and width."""


def check_inflated(content: bytes) -> None:
    """Refuse a deflated data set that inflates beyond any radiograph.

    Raises:
        Unreadable: It does.
    """
    end = META_START + int.from_bytes(content[META_LENGTH_AT:META_START], "little")
    if DEFLATED not in content[META_START : min(end, META_START + 4096)]:
        return
    inflating = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = 0
    tail = content[end:]
    while tail and inflated <= MAX_INFLATED:
        inflated += len(inflating.decompress(tail, 2**24))
        tail = inflating.unconsumed_tail
    if inflated > MAX_INFLATED:
        raise Unreadable(f"it inflates to more than {MAX_INFLATED:,} bytes; a radiograph has fewer")


def check_compressed(dataset: pydicom.Dataset) -> None:
    """Refuse a compressed image whose own header gives another size than the data set.

    Raises:
        Unreadable: Both sizes.
    """
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return
    size = stream_size(get_frame(dataset.PixelData, 0, number_of_frames=1))
    declared = int(dataset.Rows), int(dataset.Columns)
    if size is not None and size != declared:
        raise Unreadable(
            f"the header says {declared[1]} x {declared[0]} pixels, the compressed image {size[1]} x {size[0]}"
        )


def stream_size(stream: bytes) -> tuple[int, int] | None:
    """Height and width by the header of a JPEG, JPEG-LS or JPEG 2000 stream; None for others."""
    if (start := stream.find(JPEG_2000, 0, 512)) >= 0:
        right, bottom, left, top = (int.from_bytes(stream[start + i : start + i + 4]) for i in (8, 12, 16, 20))
        return bottom - top, right - left
    return _jpeg_size(stream) if stream.startswith(JPEG) else None


def _jpeg_size(stream: bytes) -> tuple[int, int] | None:
    """From segment to segment up to the frame header."""
    place = len(JPEG)
    while place + 9 <= len(stream) and stream[place] == 0xFF:
        if stream[place + 1] in FRAME_HEADERS:
            return int.from_bytes(stream[place + 5 : place + 7]), int.from_bytes(stream[place + 7 : place + 9])
        # Fill bytes before a marker are FF, too.
        place += 1 if stream[place + 1] == 0xFF else 2 + int.from_bytes(stream[place + 2 : place + 4])
    return None
