"""The content of a DICOM file -> its data set: what is empty counts as absent, and what is needed must be there.

Source: DICOM PS3.5 7.4 (types of elements) and A.5 (deflated), PS3.10 7.1 (preamble and file meta information), PS3.3
C.7.6.3.
"""

import io
import zlib

import pydicom
from pydicom.filereader import read_dataset as read_elements
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from cxrbench.data.images.code_strings import code_word
from cxrbench.data.images.content import DICOM_OFFSET, DICOM_START
from cxrbench.data.images.pixel_data import check_syntax
from cxrbench.data.images.pixels import Unreadable

META_GROUP = 2
META_START = DICOM_OFFSET + len(DICOM_START)
MAX_INFLATED = 2**29
"""Bytes of a deflated data set; the largest radiograph, of 16 bits, has 2**27."""
REQUIRED = (
    "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored",
    "PixelRepresentation",
)  # fmt: skip
LOOKUP_TABLES = ("ModalityLUTSequence", "VOILUTSequence")
TABLE_PARTS = ("LUTDescriptor", "LUTData")
OPTIONAL = (
    "AcquisitionDate", "AcquisitionDateTime", "AnatomicRegionSequence", "BodyPartExamined", "ContentDate",
    "ImageLaterality", "ImagerPixelSpacing", "Laterality", "LossyImageCompression", "LossyImageCompressionMethod",
    "LossyImageCompressionRatio", "Modality", *LOOKUP_TABLES, "NumberOfFrames", "PatientOrientation",
    "PixelPaddingRangeLimit", "PixelPaddingValue", "PixelSpacing", "PresentationIntentType", "PresentationLUTShape",
    "RescaleIntercept", "RescaleSlope", "RescaleType", "VOILUTFunction", "ViewCodeSequence", "ViewPosition",
    "WindowCenter", "WindowCenterWidthExplanation", "WindowWidth",
)  # fmt: skip
"""Elements that are looked at where they are there; exporters leave such elements empty rather than out."""
SYNTAXES: dict[tuple[bool | None, bool | None], UID] = {
    (True, True): ImplicitVRLittleEndian,
    (False, True): ExplicitVRLittleEndian,
    (False, False): ExplicitVRBigEndian,
}
"""Implicit VR, little endian -> what uncompressed pixels are then written in."""


def read_dataset(content: bytes, *, has_pixels: bool = True) -> pydicom.Dataset:
    """Return the data set of a file, with or without preamble and file meta information.

    Args:
        content: Bytes of the file.
        has_pixels: Read its pixel data, too.

    Raises:
        Unreadable: Deflated beyond any radiograph, or in a transfer syntax that is not read or that it does not say.
    """
    whole = content if content.startswith(DICOM_START, DICOM_OFFSET) else bytes(DICOM_OFFSET) + DICOM_START + content
    check_inflated(whole)
    dataset = pydicom.dcmread(io.BytesIO(whole), stop_before_pixels=not has_pixels)
    _name_syntax(dataset)
    leave_empty_out(dataset)
    if photometric := code_word(dataset, "PhotometricInterpretation"):
        dataset.PhotometricInterpretation = photometric
    return dataset


def check_inflated(content: bytes) -> None:
    """Refuse a file, with preamble, in a transfer syntax that is not read, or deflated beyond any radiograph.

    The file meta information is read as the data set's reader does, element by element: what it says of its own
    length does not count.

    Raises:
        Unreadable: The file is one of these.
    """
    stream = io.BytesIO(content)
    stream.seek(META_START)
    meta = read_elements(
        stream, is_implicit_VR=False, is_little_endian=True, stop_when=lambda tag, _vr, _length: tag.group != META_GROUP
    )
    syntax = meta.get("TransferSyntaxUID")
    if not syntax:
        return
    check_syntax(UID(syntax))
    if syntax == DeflatedExplicitVRLittleEndian:
        _check_deflated(content[stream.tell() :])


def _check_deflated(tail: bytes) -> None:
    inflating = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = 0
    while tail and inflated <= MAX_INFLATED:
        inflated += len(inflating.decompress(tail, 2**24))
        tail = inflating.unconsumed_tail
    if inflated > MAX_INFLATED:
        raise Unreadable(f"it inflates to more than {MAX_INFLATED:,} bytes; a radiograph has fewer")


def leave_empty_out(dataset: pydicom.Dataset) -> None:
    """Take away those of ``OPTIONAL`` that have no value at any level, so that ``in`` means what it says.

    A lookup table without descriptor or entries is no table.
    """
    for name in OPTIONAL:
        if name in dataset and _is_empty(dataset[name]):
            delattr(dataset, name)
    for name in LOOKUP_TABLES:
        if name not in dataset:
            continue
        whole = [item for item in dataset[name].value if _is_table(item)]
        if not whole:
            delattr(dataset, name)
        elif len(whole) < len(dataset[name].value):
            setattr(dataset, name, whole)


def _is_empty(element: pydicom.DataElement) -> bool:
    """Tell whether an element has no value, or is a sequence of items without any."""
    if element.VR != "SQ":
        return bool(element.is_empty)
    return all(_is_empty(own) for item in element.value or () for own in item)


def _is_table(item: pydicom.Dataset) -> bool:
    return all(name in item and not _is_empty(item[name]) for name in TABLE_PARTS)


def check_required(dataset: pydicom.Dataset) -> None:
    """Refuse a data set that lacks what pixels cannot be understood without.

    Raises:
        Unreadable: The elements that are absent or empty.
    """
    if "PixelData" not in dataset:
        raise Unreadable("a DICOM file without pixel data")
    if lacking := [name for name in REQUIRED if name not in dataset or dataset[name].is_empty]:
        raise Unreadable(f"a DICOM image that lacks {', '.join(lacking)}")


def _name_syntax(dataset: pydicom.Dataset) -> None:
    """Say in which transfer syntax a data set is written whose file does not."""
    if dataset.file_meta.get("TransferSyntaxUID"):
        return
    if "PixelData" in dataset and dataset["PixelData"].is_undefined_length:
        raise Unreadable("a DICOM file with compressed pixels that lacks the Transfer Syntax UID (0002,0010)")
    dataset.file_meta.TransferSyntaxUID = SYNTAXES[dataset.original_encoding]
