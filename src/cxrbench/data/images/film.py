"""A film as it is handed on: grey values, and what its file says about patient and exposure."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxrbench.data.images.pixels import Unreadable
from cxrbench.data.images.reading import decode, is_dicom
from cxrbench.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a file's header says; None where it says nothing that can be used.

    Attributes:
        age_years: 0 to 120.
        sex: ``F`` or ``M``.
        view: View position in the standard's words: ``PA``, ``AP``, ``LL`` ...
        spacing_mm: Distance of rows and of columns, at the detector.
        laterality: ``L`` or ``R``, of a film of one side.
        modality: ``CR``, ``DX`` ...
        warnings: What a reader of the answer must know.
    """

    age_years: float | None = None
    sex: str | None = None
    view: str | None = None
    spacing_mm: tuple[float, float] | None = None
    laterality: str | None = None
    modality: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Film:
    """One film.

    Attributes:
        pixels: (H, W) uint8, 0 black.
        facts: Of the header; empty for PNG, JPEG and TIFF.
    """

    pixels: NDArray[np.uint8]
    facts: Facts = field(default_factory=Facts)


def read_film(path: Path) -> Film:
    """Read one image file with what its header says; its content decides what it is, not its name.

    Raises:
        DataError: The file and the reason.
    """
    try:
        return load_film(path)
    except Unreadable as problem:
        raise DataError(f"{path}: {problem}") from None


def load_film(path: Path) -> Film:
    """Read one image file, as ``read_film`` does.

    Raises:
        Unreadable: The reason, without the file's name.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from None
    return decode_film(content)


def decode_film(content: bytes) -> Film:
    """A film from the content of one image file.

    Raises:
        Unreadable: As ``decode``.
    """
    if not is_dicom(content):
        return Film(pixels=decode(content))
    from cxrbench.data.images import dicom, header  # noqa: PLC0415 - pydicom is slow to import

    with dicom.opened(content) as dataset:
        return Film(pixels=dicom.render(dataset), facts=header.read_facts(dataset))
