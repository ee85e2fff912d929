"""A file (PNG, JPEG or DICOM) -> a grey image; the one place that decodes."""

import io
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from cxrbench.data.pixels import Unreadable, check_size, stretch
from cxrbench.errors import DataError

PNG_START, JPEG_START = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
DICOM_START, DICOM_OFFSET = b"DICM", 128


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Read one image file; see ``decode``.

    Returns:
        (H, W) uint8, 0 black.

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
        content = path.read_bytes()
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from None
    return decode(content)


def decode(content: bytes) -> NDArray[np.uint8]:
    """Decode the bytes of one image file.

    PNG and JPEG of any colour model become grey by Rec. 601 luma (equal channels keep their value exactly);
    an alpha channel is dropped; EXIF orientation is applied. 16-bit pictures do not say which of their range they
    use (10, 12, 14 bits, ...), so they are stretched linearly from their darkest to their brightest pixel.
    DICOM is rendered as a viewer would: see ``cxrbench.data.dicom``.

    Returns:
        (H, W) uint8, 0 black.

    Raises:
        Unreadable: Empty, not an image, truncated, corrupt, too small, too large, or several frames.
    """
    return _decoder(content)(content)


def _decoder(content: bytes) -> Callable[[bytes], NDArray[np.uint8]]:
    """Chosen by what the file is, whatever its name says."""
    if content.startswith(PNG_START):
        return _decode_png
    if content.startswith(JPEG_START):
        return _decode_jpeg
    if content.startswith(DICOM_START, DICOM_OFFSET):
        return _decode_dicom
    if not content:
        raise Unreadable("the file is empty")
    raise Unreadable(f"not a PNG, JPEG or DICOM image: it starts with {content[:16]!r}")


def _decode_png(content: bytes) -> NDArray[np.uint8]:
    _check_chunks(content)
    return _as_grey(_load(PngImageFile, content))


def _decode_jpeg(content: bytes) -> NDArray[np.uint8]:
    return _as_grey(_load(JpegImageFile, content))


def _decode_dicom(content: bytes) -> NDArray[np.uint8]:
    from cxrbench.data.dicom import render_dicom  # noqa: PLC0415 - pydicom is slow to import

    return render_dicom(content)


def _check_chunks(content: bytes) -> None:
    """Refuse a PNG that is cut short or has a damaged chunk, as some decoders go on with what they have."""
    start = len(PNG_START)
    while start + 12 <= len(content):
        length = int.from_bytes(content[start : start + 4])
        kind, end = content[start + 4 : start + 8], start + 12 + length
        if end > len(content):
            break
        if zlib.crc32(memoryview(content)[start + 4 : end - 4]) != int.from_bytes(content[end - 4 : end]):
            raise Unreadable(f"corrupt PNG: the checksum of its {kind!r} chunk is wrong")
        if kind == b"IEND":
            return
        start = end
    raise Unreadable(f"truncated PNG: it ends after {len(content):,} bytes, within a chunk")


def _load(kind: type[ImageFile], content: bytes) -> Image.Image:
    """Check the header, then decode all pixels."""
    try:
        picture = kind(io.BytesIO(content))
        check_size(picture.height, picture.width, frames=getattr(picture, "n_frames", 1))
        picture.load()
        return ImageOps.exif_transpose(picture)
    except (OSError, SyntaxError, ValueError) as error:
        raise Unreadable(f"truncated or corrupt {kind.format}: {error}") from None


def _as_grey(picture: Image.Image) -> NDArray[np.uint8]:
    """Any colour model as (H, W) uint8."""
    if picture.mode.startswith("I") or picture.mode == "F":
        deep = np.asarray(picture, dtype=np.float64)
        return stretch(deep, low=float(deep.min()), high=float(deep.max()))
    if picture.mode in {"P", "PA", "LA", "La", "RGBa", "RGBX"}:
        picture = picture.convert("RGBA").convert("RGB")
    return np.array(picture.convert("L"), dtype=np.uint8)
