"""Pixel data -> stored values: which transfer syntaxes are read, by which decoder, and at which size.

A compressed image has a header of its own. Its size is compared with the data set's before memory is taken.

Source: DICOM PS3.5 A.4 (encapsulated pixel data), PS3.6 A (transfer syntaxes), ITU-T T.81 (JPEG, process 4 of 12 bits),
T.800 A.5.1 (JPEG 2000 codestream) and I.4 (its boxes).
"""

from importlib import import_module

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, JPEGExtended12Bit, RLELossless, UncompressedTransferSyntaxes

from cxrbench.data.images.jpeg import START as JPEG
from cxrbench.data.images.jpeg import check_jpeg
from cxrbench.data.images.pixels import Unreadable, check_decoded

DECODERS = ("pydicom", "pylibjpeg", "pyjpegls", "pillow", "gdcm")
"""In the order of preference; GDCM last, as it ends the process on some damaged files. It alone reads JPEG lossless."""
PRIVATE = {"1.2.840.113619.5.2": "GE private implicit VR, big-endian pixel data"}
"""Names of transfer syntaxes that the standard does not list."""
DEPTH = 12
END, PADDING = b"\xd9", b"\0\xff"
CODESTREAM = b"\xff\x4f\xff\x51"
BOXES = b"\0\0\0\x0cjP  \r\n\x87\n"
MOST_BOXES = 100


def check_syntax(syntax: UID) -> None:
    """Refuse by its name a transfer syntax that is not read.

    Raises:
        Unreadable: Private, retired, of video, or in need of a decoder that is not installed.
    """
    if syntax in UncompressedTransferSyntaxes:
        return
    if not syntax.is_valid:
        raise Unreadable("a DICOM file in a transfer syntax that is no UID; export the film again")
    name = PRIVATE.get(syntax, syntax.name if syntax.name != syntax else "private")
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise Unreadable(
            f"a DICOM file in transfer syntax {syntax} ({name}), which is not read; export the film uncompressed"
        ) from None
    if not decoder.is_available:
        needed = "; ".join(decoder.missing_dependencies)
        raise Unreadable(f"a DICOM file in transfer syntax {syntax} ({name}), whose decoder is not installed: {needed}")


def check_compressed(dataset: pydicom.Dataset) -> None:
    """Refuse a compressed image whose own header gives no size, or another one than the data set.

    Raises:
        Unreadable: Both sizes.
    """
    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_encapsulated or syntax == RLELossless:  # which has no size of its own
        return
    size = stream_size(get_frame(dataset.PixelData, 0, number_of_frames=1))
    declared = int(dataset.Rows), int(dataset.Columns)
    if size is None:
        raise Unreadable("truncated or unreadable DICOM: its compressed image has no header that gives its size")
    if size != declared:
        raise Unreadable(
            f"the header says {declared[1]} x {declared[0]} pixels, the compressed image {size[1]} x {size[0]}"
        )


def stream_size(stream: bytes) -> tuple[int, int] | None:
    """Return height and width by the header of a JPEG, JPEG-LS or JPEG 2000 stream; None for others.

    Raises:
        Unreadable: The header contradicts itself, or asks for more passes than any encoder makes.
    """
    if stream.startswith(JPEG):
        return check_jpeg(stream)
    start = _codestream_start(stream)
    if start is None or len(stream) < start + 24:
        return None
    right, bottom, left, top = (int.from_bytes(stream[start + i : start + i + 4]) for i in (8, 12, 16, 20))
    return bottom - top, right - left


def _codestream_start(stream: bytes) -> int | None:
    """Return where a JPEG 2000 codestream begins: at once, or in the first box that holds one."""
    start = 0
    for _ in range(MOST_BOXES if stream.startswith(BOXES) else 0):
        length, kind = int.from_bytes(stream[start : start + 4]), stream[start + 4 : start + 8]
        header = 16 if length == 1 else 8
        if kind == b"jp2c":
            start += header
            break
        start += int.from_bytes(stream[start + 8 : start + 16]) if length == 1 else max(length, header)
    return start if stream.startswith(CODESTREAM, start) else None


def stored_values(dataset: pydicom.Dataset) -> NDArray[np.integer]:
    """Return stored values (H, W), or colours (H, W, 3) as RGB.

    Raises:
        Unreadable: The decoder found another size than the header's.
    """
    values = decode_deep_jpeg(dataset) if is_deep_jpeg(dataset) else _decoded(dataset)
    check_decoded(values, int(dataset.Rows), int(dataset.Columns))
    return values


def _decoded(dataset: pydicom.Dataset) -> NDArray[np.integer]:
    """Return what the first available decoder makes of the pixels; none in particular for uncompressed ones."""
    syntax = dataset.file_meta.TransferSyntaxUID
    available = get_decoder(syntax).available_plugins if syntax.is_encapsulated else ()
    return pixel_array(dataset, decoding_plugin=next((name for name in DECODERS if name in available), ""))


def is_deep_jpeg(dataset: pydicom.Dataset) -> bool:
    """Tell whether pixels are grey and compressed as JPEG Extended of 12 bits, of which pydicom hands 8 bits over."""
    is_extended = dataset.file_meta.TransferSyntaxUID == JPEGExtended12Bit
    return is_extended and int(dataset.BitsStored) > 8 and int(dataset.SamplesPerPixel) == 1


def decode_deep_jpeg(dataset: pydicom.Dataset) -> NDArray[np.uint16]:
    """Return the stored values (H, W) of JPEG Extended of 12 bits, decoded by GDCM itself.

    Raises:
        Unreadable: Cut short, damaged, signed, or not of the size that the header says.
    """
    form = int(dataset.BitsAllocated), int(dataset.PixelRepresentation), int(dataset.BitsStored) <= DEPTH
    if form != (16, 0, True):
        raise Unreadable("JPEG Extended pixels that are not unsigned, of 16 bits allocated and 12 stored at most")
    height, width = int(dataset.Rows), int(dataset.Columns)
    stream = get_frame(dataset.PixelData, 0, number_of_frames=1)
    # GDCM fills with grey what a stream that is cut short lacks.
    is_whole = stream.rstrip(PADDING).endswith(END)
    stored = np.frombuffer(_by_gdcm(stream, height, width) if is_whole else b"", "<u2")
    if stored.size != height * width:
        raise Unreadable("truncated or corrupt JPEG Extended pixels")
    return stored.reshape(height, width)


def _by_gdcm(stream: bytes, height: int, width: int) -> bytes:
    """Return what GDCM makes of a stream; nothing where it cannot."""
    gdcm = import_module("gdcm")
    for trace in (gdcm.Trace.DebugOff, gdcm.Trace.WarningOff, gdcm.Trace.ErrorOff):
        trace()
    fragment, fragments, element = gdcm.Fragment(), gdcm.SequenceOfFragments.New(), gdcm.DataElement()
    fragment.SetByteStringValue(stream)
    fragments.AddFragment(fragment)
    element.SetTag(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((width, height, 1))
    image.SetDataElement(element)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.MONOCHROME2))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGExtendedProcess2_4))
    # Said to be allocated in 12 bits, it takes the decoder of 12 bits at once, without a complaint of the other.
    image.SetPixelFormat(gdcm.PixelFormat(1, DEPTH, DEPTH, DEPTH - 1, 0))
    # The bytes come as text.
    return str(image.GetBuffer() or "").encode("utf-8", "surrogateescape")
