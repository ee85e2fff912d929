"""A DICOM file -> a grey image as a viewer shows it, or why not, in one line."""

import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.errors import BytesLengthException, InvalidDicomError

from cxrbench.data.images.dataset import check_required, read_dataset
from cxrbench.data.images.grey_scale import to_grey
from cxrbench.data.images.pixel_data import check_compressed, stored_values
from cxrbench.data.images.pixels import Unreadable, check_size, stretch

GREY_OR_COLOUR = ("MONOCHROME", "RGB", "YBR")
PROBLEMS = (
    AttributeError, KeyError, IndexError, TypeError, ValueError, ArithmeticError, RuntimeError, OSError, MemoryError,
    struct.error, zlib.error, BytesLengthException, InvalidDicomError, NotImplementedError,
)  # fmt: skip
"""What pydicom raises for a header that is cut short, damaged, or lacks an element."""
TOO_SHORT = re.compile(r"\((\d+) vs (\d+) bytes\)")
"""Bytes there and bytes needed, as pydicom says them of pixel data."""
REASONS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (MemoryError, "it asks for more memory than a film may take"),
    (RecursionError, "its sequences are nested too deeply"),
    ((EOFError, struct.error, OSError), "it breaks off within an element"),
    (zlib.error, "its deflated data set is cut short or damaged"),
    ((BytesLengthException, ArithmeticError), "an element has a value that its type does not allow"),
    (RuntimeError, "its compressed pixels are cut short or damaged"),
)
"""Kinds of failures -> what they mean to who sent the film, who reads no Python."""
OTHER_REASON = "an element is damaged, or contradicts another"


@dataclass(frozen=True)
class Rendered:
    """A film's grey values (H, W) uint8, 0 black, and what had to be assumed to show it."""

    pixels: NDArray[np.uint8]
    assumed: tuple[str, ...] = ()


def render_dicom(content: bytes) -> NDArray[np.uint8]:
    """Decode one frame and map it to grey values: modality LUT, then VOI LUT or window, then polarity.

    Without VOI LUT and window the image is stretched from its darkest to its brightest pixel. Padding becomes black.

    Returns:
        (H, W) uint8, 0 black, whatever the photometric interpretation.

    Raises:
        Unreadable: Not a DICOM image, several frames, cut short, or compressed in a way no installed decoder reads.
    """
    with opened(content) as dataset:
        return render(dataset).pixels


@contextmanager
def opened(content: bytes) -> Iterator[pydicom.Dataset]:
    """Yield a data set of one frame; whatever goes wrong with it in the block is said in one line.

    Raises:
        Unreadable: As ``render_dicom``.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's, about what it can read nevertheless
            dataset = read_dataset(content)
            _check_header(dataset)
            yield dataset
    except Unreadable:
        raise
    except Exception as error:  # noqa: BLE001 - decoders raise what they like, and a film must cost itself only
        raise Unreadable(f"truncated or unreadable DICOM: {reason_of(error)}") from None


def reason_of(error: BaseException) -> str:
    """Return what went wrong, in one line; an element that was asked for in vain by its name."""
    if isinstance(error, Unreadable):
        return str(error)
    if isinstance(error, AttributeError) and isinstance(error.obj, pydicom.Dataset):
        return f"it lacks {error.name}"
    if found := TOO_SHORT.search(str(error)):
        return f"its pixel data is too short ({found[1]} vs {found[2]} bytes)"
    return next((reason for kinds, reason in REASONS if isinstance(error, kinds)), OTHER_REASON)


def _check_header(dataset: pydicom.Dataset) -> None:
    """Refuse what is no single radiograph before its pixels are decoded."""
    check_required(dataset)
    if not str(dataset.PhotometricInterpretation).startswith(GREY_OR_COLOUR):
        raise Unreadable(f"photometric interpretation {dataset.PhotometricInterpretation} is no radiograph's")
    check_size(int(dataset.Rows), int(dataset.Columns), frames=int(dataset.get("NumberOfFrames") or 1))
    _check_bits(dataset)
    check_compressed(dataset)


def _check_bits(dataset: pydicom.Dataset) -> None:
    """Refuse pixels whose bits are not the lowest, as older editions allowed: they would be read as noise."""
    highest, stored = dataset.get("HighBit"), int(dataset.BitsStored)
    if highest is not None and highest != stored - 1 and not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        raise Unreadable(
            f"High Bit {highest} with {stored} Bits Stored; only High Bit {stored - 1}, the lowest bits, is read"
        )


def render(dataset: pydicom.Dataset) -> Rendered:
    """Return the grey values of a data set that holds one frame; overlays (60xx) are left out."""
    stored = stored_values(dataset)
    return Rendered(_luma(stored)) if stored.ndim == 3 else Rendered(*to_grey(stored, dataset))


def _luma(colours: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Rec. 601 luma of (H, W, 3) RGB."""
    grey = np.asarray(colours, dtype=np.float64) @ (0.299, 0.587, 0.114)
    return stretch(grey, low=0, high=np.iinfo(colours.dtype).max)
