"""The film that is answered, as its results refer to it."""

from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.uid import UID

from cxrbench.data.images.content import is_dicom, read_content
from cxrbench.data.images.dataset import read_dataset
from cxrbench.data.images.dicom import PROBLEMS, reason_of
from cxrbench.data.images.grey_scale import is_inverted
from cxrbench.data.images.pixels import Unreadable
from cxrbench.data.images.projection import is_orientation
from cxrbench.errors import DataError

IDENTITY = (
    "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "PatientAge",
    "PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence", "StudyInstanceUID",
    "StudyDate", "StudyTime", "StudyID", "StudyDescription", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
"""Of the patient and study modules; copied as they are, since an archive compares them with those of the film."""
IMAGE = (
    "StudyInstanceUID", "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "Rows", "Columns", "BitsStored",
    "SamplesPerPixel", "PatientOrientation", "PhotometricInterpretation", "PresentationLUTShape",
    "LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod",
)  # fmt: skip
GREY_SCALE = (
    "RescaleIntercept", "RescaleSlope", "RescaleType", "ModalityLUTSequence", "WindowCenter", "WindowWidth",
    "WindowCenterWidthExplanation", "VOILUTFunction", "VOILUTSequence",
)  # fmt: skip
WINDOW, RESCALE = ("WindowCenter", "WindowWidth"), ("RescaleIntercept", "RescaleSlope")
REQUIRED = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "Rows", "Columns")
TYPE_2 = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
"""Elements that every result has, even where they are empty."""
UTF_8 = "ISO_IR 192"


@dataclass(frozen=True)
class Source:
    """What results refer to, and what they copy.

    Attributes:
        image: Elements of ``IMAGE`` and ``GREY_SCALE``; patient and study are empty, so that no library's warning
            can quote them.
        identity: Elements of ``IDENTITY``.
    """

    image: pydicom.Dataset
    identity: pydicom.Dataset

    @property
    def uid(self) -> UID:
        """SOP Instance UID of the film."""
        return UID(self.image.SOPInstanceUID)

    @property
    def is_grey(self) -> bool:
        """Return whether the film's pixels are grey values, which a grey-scale presentation state can show."""
        return int(self.image.get("SamplesPerPixel") or 1) == 1

    @property
    def is_inverted(self) -> bool:
        """Return whether low values are bright, as ``data/images/grey_scale`` shows the film."""
        return is_inverted(self.image)

    def identify(self, result: pydicom.Dataset) -> None:
        """Give a result the film's patient and study."""
        # UTF-8 holds names of any script, whatever the film's character set is.
        result.SpecificCharacterSet = UTF_8
        for element in self.identity:
            result[element.tag] = element


def read_source(path: Path) -> Source:
    """The header of a DICOM film.

    Raises:
        DataError: Not a DICOM file, or it lacks what results must refer to.
        OSError: It cannot be read.
    """
    try:
        content = read_content(path)
        if not is_dicom(content):
            raise DataError(f"{path}: not a DICOM file; results need a DICOM film to refer to")
        return source_of(read_dataset(content, has_pixels=False))
    except (*PROBLEMS, Unreadable) as error:
        if isinstance(error.__cause__, OSError):
            raise error.__cause__ from None  # it may be readable later
        raise DataError(f"{path}: results need a DICOM film to refer to ({reason_of(error)})") from None


def source_of(dataset: pydicom.Dataset) -> Source:
    """What results need of a data set.

    Raises:
        Unreadable: An element that they must refer to is absent or empty.
    """
    if lacking := [name for name in REQUIRED if not dataset.get(name)]:
        raise Unreadable(f"it lacks {', '.join(lacking)}")
    image, identity = _chosen(dataset, (*IMAGE, *GREY_SCALE)), _chosen(dataset, IDENTITY)
    for name in TYPE_2:
        setattr(image, name, "")
        if name not in identity:
            setattr(identity, name, "")
    _tidy(image)
    return Source(image, identity)


def _tidy(image: pydicom.Dataset) -> None:
    """Leave what contradicts itself as ``images/grey_scale`` reads it: a VOI LUT before a window, a whole window."""
    if not is_orientation(image.get("PatientOrientation")):
        image.PatientOrientation = []
    is_whole = all(image.get(name) is not None for name in WINDOW)
    if "VOILUTSequence" in image or not is_whole:
        for name in (*WINDOW, "WindowCenterWidthExplanation", "VOILUTFunction"):
            if name in image:
                delattr(image, name)
    image.SamplesPerPixel = image.get("SamplesPerPixel") or 1
    if all(image.get(name) is not None for name in RESCALE):
        image.RescaleType = image.get("RescaleType") or "US"  # unspecified


def _chosen(dataset: pydicom.Dataset, names: tuple[str, ...]) -> pydicom.Dataset:
    """Those of the elements that have a value, or must be there without one."""
    chosen = pydicom.Dataset()
    for name in names:
        if name in dataset and (name in TYPE_2 or not dataset[name].is_empty):
            chosen[name] = dataset[name]  # decoded here, with the film's own character set
    return chosen
