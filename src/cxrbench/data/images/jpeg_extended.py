"""JPEG Extended of 12 bits -> stored values, through GDCM itself: pydicom hands it only 8 bits over.

Source: DICOM PS3.5 A.4.1 (transfer syntax 1.2.840.10008.1.2.4.51), ITU-T T.81 (process 4).
"""

from importlib import import_module

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.encaps import get_frame
from pydicom.uid import JPEGExtended12Bit

from cxrbench.data.images.pixels import Unreadable

DEPTH = 12
END, PADDING = b"\xd9", b"\0\xff"


def is_deep_jpeg(dataset: pydicom.Dataset) -> bool:
    """Whether pixels are grey and compressed in this way."""
    is_extended = dataset.file_meta.TransferSyntaxUID == JPEGExtended12Bit
    return is_extended and int(dataset.BitsStored) > 8 and int(dataset.SamplesPerPixel) == 1


def decode_deep_jpeg(dataset: pydicom.Dataset) -> NDArray[np.uint16]:
    """Stored values (H, W).

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
    stored = np.frombuffer(_decoded(stream, height, width) if is_whole else b"", "<u2")
    if stored.size != height * width:
        raise Unreadable("truncated or corrupt JPEG Extended pixels")
    return stored.reshape(height, width)


def _decoded(stream: bytes, height: int, width: int) -> bytes:
    """What GDCM makes of a stream; nothing where it cannot."""
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
