"""DICOM pixel data -> a grey image as a viewer shows it.

Source: DICOM PS3.3 C.11.1 (modality LUT), C.11.2 (VOI LUT and window), C.11.6 and C.8.11.3 (presentation LUT shape),
C.7.5.1.1.2 (pixel padding).
"""

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_modality_lut, apply_voi
from pydicom.pixels.utils import pixel_array

from cxrbench.data.images.bombs import check_compressed
from cxrbench.data.images.dataset import check_required, read_dataset
from cxrbench.data.images.jpeg_extended import decode_deep_jpeg, is_deep_jpeg
from cxrbench.data.images.pixels import Unreadable, check_size, stretch

GREY_OR_COLOUR = ("MONOCHROME", "RGB", "YBR")

DECODERS = ("pydicom", "pylibjpeg", "pyjpegls", "pillow", "gdcm")
"""In the order of preference; GDCM last, as it ends the process on some damaged files. It alone reads JPEG lossless."""

# What pydicom raises for a file that is cut short, lacks an element, or needs a decoder that is not installed.
PROBLEMS = (
    AttributeError, KeyError, IndexError, TypeError, ValueError, ArithmeticError, RuntimeError, OSError, MemoryError,
    struct.error, zlib.error, BytesLengthException, InvalidDicomError,
)  # fmt: skip


def render_dicom(content: bytes) -> NDArray[np.uint8]:
    """Decode one frame and map it to grey values: modality LUT, then VOI LUT or window, then polarity.

    Without VOI LUT and window the image is stretched from its darkest to its brightest pixel. Padding becomes black.

    Returns:
        (H, W) uint8, 0 black, whatever the photometric interpretation.

    Raises:
        Unreadable: Not a DICOM image, several frames, cut short, or compressed in a way no installed decoder reads.
    """
    with opened(content) as dataset:
        return render(dataset)


@contextmanager
def opened(content: bytes) -> Iterator[pydicom.Dataset]:
    """A data set of one frame; whatever goes wrong with it in the block is said in one line.

    Raises:
        Unreadable: As ``render_dicom``.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's, about what it can read nevertheless
            dataset = read_dataset(content)
            _check_header(dataset)
            yield dataset
    except PROBLEMS as error:
        raise Unreadable(f"truncated or unreadable DICOM: {reason_of(error)}") from None


def reason_of(error: BaseException) -> str:
    """What went wrong, in one line; an element that was asked for in vain by its name."""
    if isinstance(error, AttributeError) and isinstance(error.obj, pydicom.Dataset):
        return f"it lacks {error.name}"
    return " ".join(str(error).split())


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


def render(dataset: pydicom.Dataset) -> NDArray[np.uint8]:
    """Grey values (H, W) uint8 of a data set that holds one frame; overlays (60xx) are left out."""
    stored = _stored(dataset)
    if stored.ndim == 3:  # (H, W, 3) RGB
        return _luma(stored)
    is_padding = _padding(stored, dataset)
    grey = _window(np.asarray(apply_modality_lut(stored, dataset), dtype=np.float64), dataset, is_padding)
    if _is_inverted(dataset):
        grey = 255 - grey
    return np.where(is_padding, np.uint8(0), grey)


def _stored(dataset: pydicom.Dataset) -> NDArray[np.integer]:
    """Stored values (H, W), or colours (H, W, 3) as RGB."""
    if is_deep_jpeg(dataset):
        return decode_deep_jpeg(dataset)
    return pixel_array(dataset, decoding_plugin=_decoder(dataset))


def _decoder(dataset: pydicom.Dataset) -> str:
    """The decoder to use; none in particular for uncompressed pixels."""
    syntax = dataset.file_meta.TransferSyntaxUID
    available = get_decoder(syntax).available_plugins if syntax.is_encapsulated else ()
    return next((name for name in DECODERS if name in available), "")


def _is_inverted(dataset: pydicom.Dataset) -> bool:
    """Whether low values are bright: MONOCHROME1, or INVERSE; together, as DX images have them, they mean it once."""
    shape, photometric = (str(dataset.get(name)) for name in ("PresentationLUTShape", "PhotometricInterpretation"))
    return photometric == "MONOCHROME1" or shape == "INVERSE"


def _luma(colours: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Rec. 601 luma of (H, W, 3)."""
    grey = np.asarray(colours, dtype=np.float64) @ (0.299, 0.587, 0.114)
    return stretch(grey, low=0, high=np.iinfo(colours.dtype).max)


def _padding(stored: NDArray[np.integer], dataset: pydicom.Dataset) -> NDArray[np.bool_]:
    """Pixels beside the image proper, by their stored value."""
    first = dataset.get("PixelPaddingValue")
    if first is None:
        return np.zeros(stored.shape, dtype=bool)
    last = dataset.get("PixelPaddingRangeLimit", first)
    return np.asarray((stored >= min(first, last)) & (stored <= max(first, last)))


def _window(values: NDArray[np.float64], dataset: pydicom.Dataset, is_padding: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The first VOI LUT or window; the whole range where there is neither."""
    if "VOILUTSequence" in dataset:
        bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
        return stretch(apply_voi(values.astype(np.int32), dataset).astype(np.float64), low=0, high=2**bits - 1)
    centre, width = (_first(dataset.get(name)) for name in ("WindowCenter", "WindowWidth"))
    if centre is not None and width is not None:
        return _windowed(values, centre, width, function=str(dataset.get("VOILUTFunction") or "LINEAR"))
    image = values[~is_padding]
    return (
        stretch(values, low=float(image.min()), high=float(image.max()))
        if image.size
        else np.zeros_like(values, np.uint8)
    )


def _first(value: object) -> float | None:
    """An element's first value; a film may have several windows, the first is the default one."""
    first = value[0] if isinstance(value, pydicom.multival.MultiValue) and len(value) else value
    return None if first is None or isinstance(first, pydicom.multival.MultiValue) else float(str(first))


def _windowed(values: NDArray[np.float64], centre: float, width: float, *, function: str) -> NDArray[np.uint8]:
    """PS3.3 C.11.2.1.2 and C.11.2.1.3: a linear window (with its half-pixel shift or exact), or a sigmoid."""
    if function == "SIGMOID":
        return stretch(1 / (1 + np.exp(-4 * (values - centre) / width)), low=0, high=1)
    if function == "LINEAR":
        centre, width = centre - 0.5, max(width - 1, 1e-6)
    return stretch(values, low=centre - width / 2, high=centre + width / 2)
