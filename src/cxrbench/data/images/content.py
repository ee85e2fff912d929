"""The content of an image file: read from regular files only, and told apart by its first bytes, never by its name."""

import os
import re
import stat
from pathlib import Path

from cxrbench.data.images.pixels import Unreadable

PNG_START = b"\x89PNG\r\n\x1a\n"
JPEG_START = b"\xff\xd8\xff"
TIFF_STARTS = (b"II\x2a\x00", b"MM\x00\x2a", b"II\x2b\x00", b"MM\x00\x2b")
DICOM_START, DICOM_OFFSET = b"DICM", 128
BARE = re.compile(
    rb"\x02\x00[\x00-\x03\x10]\x00(?:UL|OB|UI)"
    rb"|\x08\x00[\x00\x01\x05\x06\x08\x12-\x18\x20-\x23]\x00(?:UL|CS|DA|TM|UI|SQ|[\x02-\x7f]\x00\x00\x00)",
    re.DOTALL,
)
"""First element of DICOM without preamble: of the file meta information (group 2) or the data set (group 8), its VR
written or not."""
MAX_BYTES = 2**30
"""Of a file; the largest radiograph, in colour and of 16 bits, has less than half of it."""
SPECIAL = {
    stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


def read_content(path: Path, *, most: int | None = None) -> bytes:
    """Return the bytes of a regular file.

    A pipe, a socket or a device is refused before it is opened: reading one may wait for ever, or never end.

    Args:
        path: File to read.
        most: Bytes to read at most; None: the whole file, which then must not be larger than any radiograph's.

    Raises:
        Unreadable: The file is absent, cannot be read, is no regular file, or is too large.
    """
    try:
        _check_kind(path.stat().st_mode)
        # Something else may lie there by now: opening a pipe would wait for its writer.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as stream:
            found = os.fstat(stream.fileno())
            _check_kind(found.st_mode)
            if most is None and found.st_size > MAX_BYTES:
                raise Unreadable(f"{found.st_size:,} bytes are too many for a radiograph (at most {MAX_BYTES:,})")
            return stream.read(MAX_BYTES if most is None else most)
    except ValueError:  # a name that no file can have
        raise Unreadable("no such file: its name holds a zero byte") from None
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error


def _check_kind(mode: int) -> None:
    """Refuse what is no regular file; what is said of a folder is the system's to say."""
    if (kind := SPECIAL.get(stat.S_IFMT(mode))) is not None:
        raise Unreadable(f"{kind}, not a regular file")


def is_dicom(content: bytes) -> bool:
    """Tell by its preamble, or by its first element where it has none, whether a file's content is DICOM."""
    return content.startswith(DICOM_START, DICOM_OFFSET) or BARE.match(content) is not None


def is_image(path: Path) -> bool:
    """Tell by a file's first bytes whether it is an image that can be decoded; False where it cannot be read."""
    try:
        start = read_content(path, most=DICOM_OFFSET + len(DICOM_START))
    except Unreadable:
        return False
    return start.startswith((PNG_START, JPEG_START, *TIFF_STARTS)) or is_dicom(start)
