"""Images of pixels for a page: small enough to lie in it."""

import base64
import io
from pathlib import Path

from PIL import Image

WIDTH = 1000
"""Pixels; that of the page."""
QUALITY = 72


def as_address(path: Path) -> str:
    """An image file as a JPEG no wider than the page, in a ``data:`` address.

    Raises:
        OSError: It is absent or no image.
    """
    buffer = io.BytesIO()
    with Image.open(path) as image:
        image.thumbnail((WIDTH, 100 * WIDTH), Image.Resampling.LANCZOS)
        image.convert("RGB").save(buffer, format="JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
