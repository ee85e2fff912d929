"""What every decoder shares: limits on a radiograph's size, the way to eight bits, and how failures are said."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

MIN_SIDE = 16
"""Pixels; a smaller picture is no radiograph."""
MAX_PIXELS = 2**26
"""8192 x 8192, four times the largest detectors: beyond it the header alone is refused, before memory is taken."""


class Unreadable(Exception):  # noqa: N818 - a reason, which the reader joins to the file's name
    """Why an image cannot be read."""


def check_size(height: int, width: int, *, frames: int = 1) -> None:
    """Refuse by its header what is no single radiograph.

    Raises:
        Unreadable: Several frames, too small, or too large.
    """
    if frames != 1:
        raise Unreadable(f"{frames} frames; a radiograph has one")
    if min(height, width) < MIN_SIDE:
        raise Unreadable(f"{width} x {height} pixels are too few for a radiograph (at least {MIN_SIDE} a side)")
    if height * width > MAX_PIXELS:
        raise Unreadable(f"{width} x {height} pixels are too many (at most {MAX_PIXELS:,})")


def check_decoded(pixels: NDArray[np.generic], height: int, width: int) -> None:
    """Refuse pixels of another size than the header's, which alone was checked.

    Raises:
        Unreadable: Both sizes.
    """
    if pixels.shape[:2] != (height, width):
        found = " x ".join(map(str, pixels.shape[1::-1]))
        raise Unreadable(f"the header says {width} x {height} pixels, its decoder found {found}")


@contextmanager
def failures_of(kind: str) -> Iterator[None]:
    """Say whatever a decoding library raises in the block as this film's own failure.

    Libraries raise what they like: a film must cost itself only, and its user reads no library's words.

    Args:
        kind: What is damaged, as ``truncated or corrupt TIFF``.

    Raises:
        Unreadable: The kind.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what can be read nevertheless
            yield
    except (Unreadable, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - see above
        raise Unreadable(f"{kind}: its pixels cannot be decoded") from None


def stretch(values: NDArray[np.floating], *, low: float, high: float) -> NDArray[np.uint8]:
    """Map ``low`` to 0 and ``high`` to 255, linearly, and clip; all is 0 when they are equal."""
    scaled = (values - low) * (255 / (high - low)) if high > low else np.zeros_like(values)
    return np.asarray(np.rint(np.clip(scaled, 0, 255)), dtype=np.uint8)


ORIENTATION = 0x0112
"""Tag of EXIF and TIFF; 1 to 8."""
Pixels = NDArray[np.uint8]
TURNS: dict[int, Callable[[Pixels], Pixels]] = {
    2: np.fliplr,
    3: lambda film: np.rot90(film, 2),
    4: np.flipud,
    5: lambda film: film.T,
    6: lambda film: np.rot90(film, -1),
    7: lambda film: np.rot90(film, 2).T,
    8: np.rot90,
}
"""Orientation -> what viewers do with the stored pixels (H, W)."""


def oriented(pixels: NDArray[np.uint8], orientation: object) -> NDArray[np.uint8]:
    """Turn pixels (H, W) as an EXIF orientation says that viewers do; a value that is none changes nothing."""
    turn = TURNS.get(orientation) if isinstance(orientation, int) else None
    return pixels if turn is None else np.ascontiguousarray(turn(pixels))
