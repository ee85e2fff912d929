"""Films that disks, transmission and enemies have altered: flipped bytes, cut ends, huge sizes; seeded."""

import io
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pydicom.data
from PIL import Image
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (  # fmt: skip
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

PYDICOM = Path(pydicom.data.__file__).parent / "test_files"
SIDE = 192
HEADER = 1024
"""Bytes in which half of the flips lie: there a decoder is told how much memory to take."""
MOST_FLIPS = 32
SIZES = (0, 1, 15, 4096, 8192, 8193, 30_000, 65_535, 2**31 - 1, 2**32 - 1)
"""Rows, columns, frames; a DICOM header has sixteen bits for the first two, and takes the rest modulo 65,536."""
PNG_START, IHDR = 8, 8 + 8
"""Where a PNG's first chunk begins, and its content: width and height, four bytes each."""


@dataclass(frozen=True)
class Source:
    """A whole file."""

    name: str
    kind: str
    """``PNG`` or ``DICOM``."""
    content: bytes


@dataclass(frozen=True)
class Mutant:
    """An altered file."""

    source: Source
    mutation: str
    content: bytes

    @property
    def file(self) -> str:
        """A name with the suffix of its kind."""
        return f"{self.source.name}-{self.mutation}{'.png' if self.source.kind == 'PNG' else '.dcm'}".replace(" ", "-")


def sources() -> tuple[Source, ...]:
    """Generated PNG and DICOM films, and pydicom's test files."""
    own = [*_png_films(), *_dicom_films()]
    theirs = sorted(PYDICOM.glob("*.dcm"))
    return (*own, *(Source(path.stem, "DICOM", path.read_bytes()) for path in theirs))


def mutants(count: int, *, seed: int = 0) -> Iterator[Mutant]:
    """``count`` altered files: sources and mutations in turn, places and values drawn from ``seed``."""
    rng = np.random.default_rng(seed)
    by_kind = {kind: [one for one in sources() if one.kind == kind] for kind in ("PNG", "DICOM")}
    for number in range(count):
        kind = ("PNG", "DICOM")[number % 2]
        source = by_kind[kind][rng.integers(len(by_kind[kind]))]
        mutation = list(MUTATIONS)[number // 2 % len(MUTATIONS)]
        yield Mutant(source, mutation, MUTATIONS[mutation](source, rng))


def flipped(source: Source, rng: np.random.Generator) -> bytes:
    """One to 32 bytes changed, often one; half of them in the header."""
    content = bytearray(source.content)
    first = int(rng.integers(2))
    for number in range(first, first + round(MOST_FLIPS ** rng.random())):
        place = int(rng.integers(min(HEADER, len(content)) if number % 2 else len(content)))
        content[place] ^= int(rng.integers(1, 256))
    return bytes(content)


def flipped_with_checksums(source: Source, rng: np.random.Generator) -> bytes:
    """The same behind the preamble and the file meta group, or with a PNG's checksums made right again."""
    if source.kind == "PNG":
        return repaired(flipped(source, rng))
    kept = min(400, len(source.content))
    rest = Source(source.name, source.kind, source.content[kept:])
    return source.content[:kept] + (flipped(rest, rng) if rest.content else b"")


def truncated(source: Source, rng: np.random.Generator) -> bytes:
    """Cut somewhere."""
    return source.content[: int(rng.integers(len(source.content)))]


def resized(source: Source, rng: np.random.Generator) -> bytes:
    """Another size in the header."""
    rows, columns, frames = (int(value) for value in rng.choice(SIZES, 3))
    if source.kind == "PNG":
        size = columns.to_bytes(4, "big") + rows.to_bytes(4, "big")
        return repaired(source.content[:IHDR] + size + source.content[IHDR + 8 :])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's, about its own test files
            dataset = pydicom.dcmread(io.BytesIO(source.content), force=True)
            dataset.Rows, dataset.Columns = rows % 2**16, columns % 2**16
            if rng.random() < 0.3:
                dataset.NumberOfFrames = frames
            return written(dataset)
    except Exception:  # noqa: BLE001 - whatever pydicom cannot write again is mutated otherwise
        return flipped(source, rng)


MUTATIONS = {
    "bytes flipped": flipped,
    "bytes flipped, checksums right": flipped_with_checksums,
    "truncated": truncated,
    "size in the header": resized,
}


def film() -> np.ndarray:
    """(S, S) uint8 that compresses as a film does."""
    y, x = np.mgrid[:SIDE, :SIDE]
    noise = np.random.default_rng(0).integers(0, 9, (SIDE, SIDE))
    return (120 + 80 * np.sin(x / 23) * np.cos(y / 31) + noise).astype(np.uint8)


def _png_films() -> Iterator[Source]:
    grey = film()
    pictures = {
        "grey": Image.fromarray(grey),
        "deep": Image.fromarray(grey.astype(np.uint16) * 200),
        "colour": Image.fromarray(np.dstack([grey, grey // 2, grey])),
        "alpha": Image.fromarray(np.dstack([grey] * 4)),
        "palette": Image.fromarray(grey).quantize(64),
        "bit": Image.fromarray(grey > 120),
    }
    for name, picture in pictures.items():
        stream = io.BytesIO()
        picture.save(stream, "PNG")
        yield Source(name, "PNG", stream.getvalue())


def _dicom_films() -> Iterator[Source]:
    for name, syntax in (
        ("plain", None), ("rle", RLELossless), ("jpeg-ls", JPEGLSLossless), ("jpeg-2000", JPEG2000Lossless),
    ):  # fmt: skip
        dataset = radiograph()
        if syntax is not None:
            dataset.compress(syntax, generate_instance_uid=False)  # a new one would be a random one
        yield Source(name, "DICOM", written(dataset))
    deflated = radiograph()
    deflated.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    yield Source("deflated", "DICOM", written(deflated))


def radiograph() -> pydicom.Dataset:
    """A digital radiograph of 12 bits."""
    dataset = pydicom.Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", generate_uid(entropy_srcs=["film"])
    dataset.PatientAge, dataset.PatientSex, dataset.ViewPosition, dataset.Modality = "062Y", "F", "PA", "DX"
    dataset.Rows = dataset.Columns = SIDE
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.WindowCenter, dataset.WindowWidth = 2000, 3000
    dataset.PixelData = (film().astype(np.uint16) * 16).tobytes()
    return dataset


def written(dataset: pydicom.Dataset) -> bytes:
    """A data set as a file's content."""
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def repaired(content: bytes) -> bytes:
    """A PNG with the checksum of each of its chunks made right, as far as their lengths make sense."""
    repaired, start = bytearray(content), PNG_START
    while start + 12 <= len(repaired):
        end = start + 12 + int.from_bytes(repaired[start : start + 4])
        if end > len(repaired):
            break
        repaired[end - 4 : end] = zlib.crc32(repaired[start + 4 : end - 4]).to_bytes(4)
        start = end
    return bytes(repaired)
