"""What a decoding process does with an upload; imports little, as every process pays for it."""

import signal
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cxrbench.data.images.film import Film, decode_film
from cxrbench.data.images.pixels import Unreadable
from cxrbench.data.sandbox import start_decoder
from cxrbench.predict.preparation import Prepared, prepare_film

LONGEST_SIDE = 1536
"""Of the picture that is shown, pixels."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A film to look at.

    Attributes:
        png: 8 bits grey, at most ``LONGEST_SIDE`` a side.
        height: Of the film itself, pixels.
        width: Of the film itself, pixels.
    """

    png: bytes
    height: int
    width: int


def start_process() -> None:
    """As every decoder; and the server alone decides when its processes end, whoever else is told to."""
    start_decoder()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def prepare_upload(content: bytes, sizes: tuple[int, ...], max_pixels: int) -> Prepared | str:
    """A film shrunk to what the networks need, or why not."""
    film = _film(content, max_pixels)
    return film if isinstance(film, str) else prepare_film(film, sizes)


def picture_upload(content: bytes, max_pixels: int) -> Picture | str:
    """A film to look at, or why not."""
    film = _film(content, max_pixels)
    if isinstance(film, str):
        return film
    height, width = film.pixels.shape
    return Picture(png=encode_png(_shrunk(film.pixels)), height=height, width=width)


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """A picture (H, W) grey or (H, W, 4) red, green, blue, opacity as PNG."""
    ordered = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA)
    _, content = cv2.imencode(".png", ordered, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return content.tobytes()


def _film(content: bytes, max_pixels: int) -> Film | str:
    try:
        film = decode_film(content)
    except Unreadable as problem:
        return str(problem)
    except MemoryError:
        return "reading it needs more memory than a film may take"
    height, width = film.pixels.shape
    if film.pixels.size > max_pixels:
        return f"{width} x {height} pixels are too many (at most {max_pixels:,})"
    return film


def _shrunk(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape
    scale = LONGEST_SIDE / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
