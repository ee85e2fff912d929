"""JPEG -> a grey image, through Pillow: other decoders fill the rest of a file that is cut short with grey.

Source: ITU-T T.81, B.1 and B.2 (markers, frame and scan headers); T.87, C.2.2 and C.2.4.1.4 (JPEG-LS, larger sizes).
"""

import io
import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL.JpegImagePlugin import JpegImageFile

from cxrbench.data.images.pixels import ORIENTATION, Unreadable, check_decoded, check_size, failures_of, oriented

START = b"\xff\xd8"
JPEG_LS = 0xF7
FRAME_HEADERS = {*range(0xC0, 0xD0), JPEG_LS} - {0xC4, 0xC8, 0xCC}
"""Second bytes of the markers whose segment holds height and width."""
SCAN, END, PRESETS = 0xDA, 0xD9, 0xF8
ALONE = {0x01, *range(0xD0, 0xD9)}
"""Markers without a segment."""
LARGER_SIZE = 4
"""Kind of a JPEG-LS preset segment that gives another size than the frame header."""
NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""What ends the coded pixels of a scan, in which FF is followed by 0 or by a restart marker."""
NEXT_LS_MARKER = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")
"""The same in JPEG-LS, where the byte after FF has its highest bit clear."""
MAX_SCANS = 100
"""Passes over its pixels that a JPEG may take. Encoders make about ten; each costs time for all pixels."""


def decode_jpeg(content: bytes) -> NDArray[np.uint8]:
    """Decode grey or colours (as Rec. 601 luma), turned as the file's EXIF orientation says.

    Returns:
        (H, W) uint8, 0 black.

    Raises:
        Unreadable: Cut short, damaged, too small, too large, or of more scans than any encoder makes.
    """
    size = check_jpeg(content)
    if size is not None:
        check_size(*size)
    with failures_of("truncated or corrupt JPEG"):
        picture = JpegImageFile(io.BytesIO(content))
        height, width = size or (picture.height, picture.width)
        check_size(height, width)
        pixels = np.array(picture.convert("L"), dtype=np.uint8)
        check_decoded(pixels, height, width)
        return oriented(pixels, _orientation(picture))


def check_jpeg(stream: bytes) -> tuple[int, int] | None:
    """Return height and width by the frame header of a JPEG or JPEG-LS stream; None where none is found.

    Raises:
        Unreadable: Several frame headers, another size beside it, or more scans than any encoder makes.
    """
    size, scans = None, 0
    for marker, segment in _segments(stream):
        if marker in FRAME_HEADERS:
            if size is not None:
                raise Unreadable("corrupt JPEG: it has two frame headers; one is allowed")
            size = int.from_bytes(segment[1:3]), int.from_bytes(segment[3:5])
        elif marker == PRESETS and segment[:1] == bytes([LARGER_SIZE]):
            raise Unreadable("a JPEG-LS stream that gives its size outside its frame header, which is not read")
        elif marker == SCAN:
            scans += 1
            if scans > MAX_SCANS:
                raise Unreadable(f"a JPEG of more than {MAX_SCANS} scans, which no encoder makes")
    return size


def _segments(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and content of each segment up to the end of the first image; junk between them is passed over."""
    place, following = len(START), NEXT_MARKER
    while (place := stream.find(b"\xff", place)) >= 0 and place + 4 <= len(stream):
        marker = stream[place + 1]
        if marker == END:
            return
        if marker in {0x00, 0xFF} or marker in ALONE:  # fill bytes before a marker are FF, too
            place += 1 if marker == 0xFF else 2
            continue
        end = place + 2 + int.from_bytes(stream[place + 2 : place + 4])
        if end > len(stream):
            return
        yield marker, stream[place + 4 : end]
        following = NEXT_LS_MARKER if marker == JPEG_LS else following
        found = following.search(stream, end) if marker == SCAN else None
        if marker == SCAN and found is None:
            return
        place = end if found is None else found.start()


def _orientation(picture: JpegImageFile) -> object:
    """Return the EXIF orientation; None where there is none, or none that can be read."""
    try:
        return picture.getexif().get(ORIENTATION)
    except Exception:  # noqa: BLE001 - Pillow raises what it likes on damaged EXIF, which viewers pass over
        return None
