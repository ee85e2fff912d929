"""Content decides how an image file is decoded; what cannot be read is refused with the reason."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxrbench.data.images import jpeg, png, tiff
from cxrbench.data.images.pixels import Unreadable
from cxrbench.errors import DataError

DICOM_START, DICOM_OFFSET = b"DICM", 128
BARE = re.compile(
    rb"\x02\x00[\x00-\x03\x10]\x00(?:UL|OB|UI)"
    rb"|\x08\x00[\x00\x01\x05\x06\x08\x12-\x18\x20-\x23]\x00(?:UL|CS|DA|TM|UI|SQ|[\x02-\x7f]\x00\x00\x00)",
    re.DOTALL,
)
"""First element of DICOM without preamble: of the file meta information (group 2) or the data set (group 8), its VR
written or not."""
STARTS = (png.START, jpeg.START, *tiff.STARTS)


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Read one image file; its content decides what it is, not its name.

    Returns:
        (H, W) uint8, 0 black; see ``decode_png``, ``decode_jpeg``, ``decode_tiff`` and ``render_dicom`` for how it is
        made grey.

    Raises:
        DataError: The file and the reason.
    """
    try:
        return load_grey(path)
    except Unreadable as problem:
        raise DataError(f"{path}: {problem}") from None


def load_grey(path: Path) -> NDArray[np.uint8]:
    """Read one image file, as ``read_grey`` does.

    Raises:
        Unreadable: The reason, without the file's name.
    """
    try:
        return decode(path.read_bytes())
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from None


def is_dicom(content: bytes) -> bool:
    """Whether a file's content is DICOM, by its preamble, or by its first element where it has none."""
    return content.startswith(DICOM_START, DICOM_OFFSET) or BARE.match(content) is not None


def is_image(path: Path) -> bool:
    """Whether a file's first bytes are those of an image that can be decoded; False where it cannot be read."""
    try:
        with path.open("rb") as stream:
            start = stream.read(DICOM_OFFSET + len(DICOM_START))
    except OSError:
        return False
    return start.startswith(STARTS) or is_dicom(start)


def decode(content: bytes) -> NDArray[np.uint8]:
    """Decode the content of one image file.

    Returns:
        (H, W) uint8, 0 black.

    Raises:
        Unreadable: Empty, not an image, cut short, damaged, too small, too large, or several frames.
    """
    if content.startswith(png.START):
        return png.decode_png(content)
    if content.startswith(jpeg.START):
        return jpeg.decode_jpeg(content)
    if content.startswith(tiff.STARTS):
        return tiff.decode_tiff(content)
    if is_dicom(content):
        from cxrbench.data.images.dicom import render_dicom  # noqa: PLC0415 - pydicom is slow to import

        return render_dicom(content)
    raise Unreadable(
        f"not a PNG, JPEG, TIFF or DICOM image: it starts with {content[:16]!r}" if content else "the file is empty"
    )
