"""Films as DICOM files: a valid DX film for presentation, whose elements a test changes."""

from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

DX, CR, SC = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.7"
OWN = {
    "SOPClassUID": DX, "Modality": "DX", "PatientName": "Test^Film", "PatientID": "P1", "PatientBirthDate": "19560102",
    "PatientSex": "F", "PatientAge": "066Y", "StudyDate": "20240102", "StudyTime": "101500", "StudyID": "S1",
    "AccessionNumber": "A1", "ReferringPhysicianName": "Ref^Doc", "StudyDescription": "Chest", "SeriesNumber": 1,
    "InstanceNumber": 1, "BodyPartExamined": "CHEST", "ViewPosition": "PA", "PatientOrientation": ["L", "F"],
    "PresentationIntentType": "FOR PRESENTATION", "Manufacturer": "Maker", "ImagerPixelSpacing": [0.2, 0.2],
    "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "PresentationLUTShape": "IDENTITY",
    "BitsAllocated": 16, "BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0, "RescaleIntercept": 0,
    "RescaleSlope": 1, "RescaleType": "US", "WindowCenter": 2048, "WindowWidth": 4096, "BurnedInAnnotation": "NO",
    "LossyImageCompression": "00",
}  # fmt: skip


def film_dataset(pixels: np.ndarray, **elements) -> pydicom.Dataset:
    """A film of grey values (H, W) uint8, with elements in place of its own; None takes one out."""
    film = pydicom.Dataset()
    film.file_meta = pydicom.dataset.FileMetaDataset()
    film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    uids = {name: generate_uid() for name in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")}
    size = {"Rows": pixels.shape[0], "Columns": pixels.shape[1], "PixelData": (pixels.astype(np.uint16) << 4).tobytes()}
    for name, value in {**OWN, **uids, **size, **elements}.items():
        if value is not None:
            setattr(film, name, value)
    return film


def write_film(path: Path, pixels: np.ndarray, **elements) -> Path:
    """Write such a film."""
    film_dataset(pixels, **elements).save_as(path, enforce_file_format=True)
    return path
