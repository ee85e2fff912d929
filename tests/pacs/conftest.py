"""Films as DICOM files, and what answers them."""

import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from cxrbench.bundle import load_bundle
from cxrbench.predict import Predictor

DX, CR, SC = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.7"


def film_dataset(pixels: np.ndarray, **elements) -> pydicom.Dataset:
    """A valid DX film for presentation, of 12 bits, with elements in place of its own; None takes one out."""
    film = pydicom.Dataset()
    film.file_meta = pydicom.dataset.FileMetaDataset()
    film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    own = {
        "SOPClassUID": DX, "SOPInstanceUID": generate_uid(), "StudyInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(), "Modality": "DX", "PatientName": "Test^Film", "PatientID": "P1",
        "PatientBirthDate": "19560102", "PatientSex": "F", "PatientAge": "066Y", "StudyDate": "20240102",
        "StudyTime": "101500", "StudyID": "S1", "AccessionNumber": "A1", "ReferringPhysicianName": "Ref^Doc",
        "StudyDescription": "Chest", "SeriesNumber": 1, "InstanceNumber": 1, "BodyPartExamined": "CHEST",
        "ViewPosition": "PA", "PatientOrientation": ["L", "F"], "PresentationIntentType": "FOR PRESENTATION",
        "Manufacturer": "Maker", "ImagerPixelSpacing": [0.2, 0.2], "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2", "PresentationLUTShape": "IDENTITY", "Rows": pixels.shape[0],
        "Columns": pixels.shape[1], "BitsAllocated": 16, "BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0,
        "RescaleIntercept": 0, "RescaleSlope": 1, "RescaleType": "US", "WindowCenter": 2048, "WindowWidth": 4096,
        "BurnedInAnnotation": "NO", "LossyImageCompression": "00",
    }  # fmt: skip
    for name, value in {**own, **elements}.items():
        if value is not None:
            setattr(film, name, value)
    if "PixelData" not in elements:
        film.PixelData = (pixels.astype(np.uint16) << 4).tobytes()
    return film


def write_film(path: Path, pixels: np.ndarray, **elements) -> Path:
    film_dataset(pixels, **elements).save_as(path, enforce_file_format=True)
    return path


@pytest.fixture(scope="session")
def phantom_films(small_study):
    """Grey values of generated films."""
    paths = sorted((small_study.parent / "films" / "images").glob("*.png"))[:8]
    return [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]


@pytest.fixture(scope="session")
def predictor(small_bundle):
    return Predictor(load_bundle(small_bundle))


@pytest.fixture
def is_valid():
    """Assert that a DICOM file has no errors; skips where the validator is not installed."""
    if not shutil.which("dciodvfy"):
        pytest.skip("needs dciodvfy (Debian package dicom3tools)")

    def check(path):
        said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
        errors = [line for line in (said.stderr + said.stdout).splitlines() if line.startswith("Error")]
        assert errors == []

    return check
