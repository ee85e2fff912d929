"""The content of a DICOM file -> its data set: what is empty counts as absent, and what is needed must be there.

Source: DICOM PS3.5 7.4 (types of elements), PS3.10 7.1 (preamble and file meta information), PS3.3 C.7.6.3.
"""

import io

import pydicom
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from cxrbench.data.images.bombs import check_inflated
from cxrbench.data.images.pixels import Unreadable
from cxrbench.data.images.projection import code_word
from cxrbench.data.images.reading import DICOM_OFFSET, DICOM_START

REQUIRED = (
    "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored",
    "PixelRepresentation",
)  # fmt: skip
OPTIONAL = (
    "AcquisitionDate", "AnatomicRegionSequence", "BodyPartExamined", "ContentDate", "ImageLaterality",
    "ImagerPixelSpacing", "Laterality", "LossyImageCompression", "LossyImageCompressionMethod",
    "LossyImageCompressionRatio", "Modality", "ModalityLUTSequence", "NumberOfFrames", "PatientOrientation",
    "PixelPaddingRangeLimit", "PixelPaddingValue", "PixelSpacing", "PresentationIntentType", "PresentationLUTShape",
    "RescaleIntercept", "RescaleSlope", "RescaleType", "VOILUTFunction", "VOILUTSequence", "ViewCodeSequence",
    "ViewPosition", "WindowCenter", "WindowCenterWidthExplanation", "WindowWidth",
)  # fmt: skip
"""What is looked at where it is there; exporters leave such elements empty rather than out."""
SYNTAXES: dict[tuple[bool | None, bool | None], UID] = {
    (True, True): ImplicitVRLittleEndian,
    (False, True): ExplicitVRLittleEndian,
    (False, False): ExplicitVRBigEndian,
}
"""Implicit VR, little endian -> what uncompressed pixels are then written in."""


def read_dataset(content: bytes, *, has_pixels: bool = True) -> pydicom.Dataset:
    """The data set of a file, with or without preamble and file meta information.

    Args:
        content: Of the file.
        has_pixels: Read its pixel data, too.

    Raises:
        Unreadable: Deflated beyond any radiograph, or compressed in a way that it does not say.
    """
    whole = content if content.startswith(DICOM_START, DICOM_OFFSET) else bytes(DICOM_OFFSET) + DICOM_START + content
    check_inflated(whole)
    dataset = pydicom.dcmread(io.BytesIO(whole), stop_before_pixels=not has_pixels)
    _name_syntax(dataset)
    leave_empty_out(dataset)
    if photometric := code_word(dataset, "PhotometricInterpretation"):
        dataset.PhotometricInterpretation = photometric
    return dataset


def leave_empty_out(dataset: pydicom.Dataset) -> None:
    """Take away those of ``OPTIONAL`` that have no value, so that ``in`` means what it says."""
    for name in OPTIONAL:
        if name in dataset and dataset[name].is_empty:
            delattr(dataset, name)


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
