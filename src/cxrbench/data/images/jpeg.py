"""JPEG -> a grey image, through Pillow: other decoders fill the rest of a file that is cut short with grey."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps
from PIL.JpegImagePlugin import JpegImageFile

from cxrbench.data.images.pixels import Unreadable, check_size

START = b"\xff\xd8\xff"


def decode_jpeg(content: bytes) -> NDArray[np.uint8]:
    """Decode grey or colours (as Rec. 601 luma), turned as the file's EXIF orientation says.

    Returns:
        (H, W) uint8, 0 black.

    Raises:
        Unreadable: Cut short, damaged, too small or too large.
    """
    try:
        picture = JpegImageFile(io.BytesIO(content))
        check_size(picture.height, picture.width)
        return np.array(ImageOps.exif_transpose(picture).convert("L"), dtype=np.uint8)
    except (OSError, SyntaxError, ValueError) as error:
        raise Unreadable(f"truncated or corrupt JPEG: {error}") from None
