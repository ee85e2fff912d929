"""What a film's header says about patient and exposure; what cannot be used is None, with a warning where it was wrong.

Source: DICOM PS3.5 6.2 (AS, DA, DT; DA as ACR-NEMA wrote it), PS3.3 C.7.1.1, C.7.2.2, C.8.1.1, C.8.11.
"""

import datetime
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cxrbench.data.images.body_part import part_warnings
from cxrbench.data.images.code_strings import code_word
from cxrbench.data.images.projection import projection_warnings, view_position

if TYPE_CHECKING:  # slow to import, and who handles films of other kinds needs the facts only
    import pydicom

AGE = re.compile(r"(\d{1,4})\s*([DWMY]?)")
DAYS = {"": 365.25, "Y": 365.25, "M": 365.25 / 12, "W": 7.0, "D": 1.0}
DATE = re.compile(r"(\d{4})([.\-/: ]?)(\d{2})\2(\d{2})")
"""Of eight digits, or with separators as ACR-NEMA and some exporters write it."""
DAYS_OF_FILM = ("AcquisitionDate", "AcquisitionDateTime", "ContentDate", "StudyDate", "SeriesDate")
OLDEST = 120
PROJECTIONS = {"CR", "DX", "SC", "OT", "RG"}
"""Modalities that a projection of the chest may have; SC and OT say nothing."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Facts of a film that its header states; None where it says nothing that can be used.

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


def read_facts(dataset: "pydicom.Dataset") -> Facts:
    """Return the facts of one data set; never raises for what is absent or wrong."""
    age, age_warning = _age_years(dataset)
    modality = code_word(dataset, "Modality")
    warnings = (
        age_warning,
        _modality_warning(modality),
        *part_warnings(dataset),
        *projection_warnings(dataset),
        *_presentation_warnings(dataset),
    )
    return Facts(
        age_years=age,
        sex=_one_of(code_word(dataset, "PatientSex"), {"F", "M"}),
        view=view_position(dataset),
        spacing_mm=_spacing(dataset),
        laterality=_one_of(code_word(dataset, "ImageLaterality") or code_word(dataset, "Laterality"), {"L", "R"}),
        modality=modality,
        warnings=tuple(warning for warning in warnings if warning),
    )


def _text(dataset: "pydicom.Dataset", name: str) -> str:
    """An element as text without blanks around it; empty when absent."""
    value = dataset.get(name)
    return "" if value is None else str(value).strip()


def _one_of(code: str | None, valid: set[str]) -> str | None:
    return code if code in valid else None


def _age_years(dataset: "pydicom.Dataset") -> tuple[float | None, str | None]:
    """Age, or why it is not known: stated (``062Y``, ``62``, ``007M`` ...), or from birth to the day of the film."""
    stated = code_word(dataset, "PatientAge")
    if stated is None:
        return _age_from_dates(dataset)
    found = AGE.fullmatch(stated)
    if found is None:
        return None, "the age in the header cannot be read and counts as unknown"
    return _possible(int(found[1]) * DAYS[found[2]] / 365.25)


def _age_from_dates(dataset: "pydicom.Dataset") -> tuple[float | None, str | None]:
    birth = _date(dataset, "PatientBirthDate")
    day = next(filter(None, (_date(dataset, name) for name in DAYS_OF_FILM)), None)
    return (None, None) if birth is None or day is None else _possible((day - birth).days / 365.25)


def _date(dataset: "pydicom.Dataset", name: str) -> datetime.date | None:
    """Return a date, or the date of a date-time; None where it is none."""
    text = _text(dataset, name)
    found = DATE.fullmatch(text[:8] if name.endswith("DateTime") else text)
    try:
        return datetime.date(int(found[1]), int(found[3]), int(found[4])) if found else None
    except ValueError:  # no such day
        return None


def _possible(age: float) -> tuple[float | None, str | None]:
    """An age out of 0 to 120 is none."""
    if 0 <= age <= OLDEST:
        return age, None
    return None, f"the age in the header is not within 0 to {OLDEST} years and counts as unknown"


def _spacing(dataset: "pydicom.Dataset") -> tuple[float, float] | None:
    """Rows, columns; calibrated values before those at the detector."""
    for name in ("PixelSpacing", "ImagerPixelSpacing"):
        try:
            rows, columns = (float(value) for value in dataset.get(name) or ())
        except (TypeError, ValueError):
            continue
        if all(math.isfinite(value) and value > 0 for value in (rows, columns)):
            return rows, columns
    return None


def _modality_warning(modality: str | None) -> str | None:
    is_projection = modality is None or modality in PROJECTIONS
    return None if is_projection else f"modality {modality} is no projection radiography"


def _presentation_warnings(dataset: "pydicom.Dataset") -> tuple[str, ...]:
    """Return what the pixels are, where a viewer would not show them as they are, or viewers differ."""
    warnings = []
    if code_word(dataset, "PresentationIntentType") == "FOR PROCESSING":
        warnings.append("FOR PROCESSING: the detector's own values, which no viewer shows; send the processed image")
    shape, photometric = (code_word(dataset, name) for name in ("PresentationLUTShape", "PhotometricInterpretation"))
    if shape == "INVERSE" and photometric == "MONOCHROME2":
        warnings.append(
            "Presentation LUT Shape INVERSE with MONOCHROME2: shown inverted, which the standard leaves open"
        )
    if shape == "IDENTITY" and photometric == "MONOCHROME1":
        warnings.append(
            "Presentation LUT Shape IDENTITY with MONOCHROME1: shown without inversion, which the standard leaves open"
        )
    return tuple(warnings)
