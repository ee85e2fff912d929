"""Films of every form of lookup table and window, and how dcmtk's ``dcm2pnm`` shows them.

A film holds every stored value once, so that a step is compared at each of its inputs.
"""

import io
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import cv2
import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_film import film_dataset

ENTRIES = {256: 8, 1024: 10, 4096: 12, 65536: 16}
"""Entries of a table -> bits stored of its film."""
DEPTHS = range(8, 17)
NARROW = 2
"""Values; so narrow a window shows the rounding of a single one."""
PACKINGS = ("words", "US values", "bytes in words", "packed bytes")
OWN = ("RescaleIntercept", "RescaleSlope", "RescaleType", "WindowCenter", "WindowWidth", "PresentationLUTShape")
CANNOT = "cannot select"
"""What dcm2pnm says where it shows a film without the step that was asked for."""


@dataclass(frozen=True)
class Cell:
    """One film of the grid.

    Attributes:
        kind: Of the grid: ``modality LUT``, ``VOI LUT``, ``window`` ...
        form: Name of each dimension -> its value.
        content: DICOM file.
        flags: Options by which dcm2pnm shows the step.
    """

    kind: str
    form: dict[str, object]
    content: bytes = field(repr=False)
    flags: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind}: " + ", ".join(f"{name} {value}" for name, value in self.form.items())


def has_dcmtk() -> bool:
    """Tell whether dcm2pnm is installed."""
    return shutil.which("dcm2pnm") is not None


def shown_by_dcmtk(cell: Cell, folder: Path) -> np.ndarray | None:
    """Return dcm2pnm's grey values (H, W) uint8; None where it refuses the form."""
    film, picture = folder / "film.dcm", folder / "film.pgm"
    film.write_bytes(cell.content)
    picture.unlink(missing_ok=True)
    done = subprocess.run(
        ["dcm2pnm", *cell.flags, str(film), str(picture)], capture_output=True, text=True, check=False
    )
    if done.returncode or CANNOT in done.stderr or not picture.exists():
        return None
    return cv2.imread(str(picture), cv2.IMREAD_UNCHANGED)


def grid() -> Iterator[Cell]:
    """Yield all cells: lookup tables, tables of a wrong depth, windows, and what stands beside them."""
    yield from table_cells()
    yield from wrong_depth_cells()
    yield from window_cells()
    yield from polarity_cells()


def table_cells(entries=tuple(ENTRIES), depths=tuple(DEPTHS)) -> Iterator[Cell]:
    """Yield tables of a sound depth: entries x depth x packing x sign x modality or VOI x rising or falling."""
    forms = product(entries, depths, PACKINGS, (False, True), ("modality LUT", "VOI LUT"), (False, True))
    for count, depth, packing, is_signed, kind, is_falling in forms:
        if (depth == 8) == (packing in {"bytes in words", "packed bytes"}) or (depth == 8 and packing == "US values"):
            curve = _curve(count, depth, is_falling=is_falling)
            item = lut_item(curve, depth, packing=packing, first=_first(count, is_signed))
            form = {"entries": count, "depth": depth, "packing": packing, "signed": is_signed, "falling": is_falling}
            elements = {"ModalityLUTSequence" if kind == "modality LUT" else "VOILUTSequence": [item]}
            # With an explicit VR, US values may take 64 KiB at most.
            syntax = ImplicitVRLittleEndian if packing == "US values" else ExplicitVRLittleEndian
            flags = ("+Wm",) if kind == "modality LUT" else ("+Wl", "1")
            content = film(ENTRIES[count], is_signed=is_signed, syntax=syntax, **elements)
            yield Cell(kind, form, content, flags)


def wrong_depth_cells() -> Iterator[Cell]:
    """Yield VOI LUTs that hold fewer bits than they declare, against dcm2pnm that is told to count them itself."""
    for declared, held, count, is_signed in product((10, 12, 14, 16), range(8, 16), (1024, 4096, 65536), (False, True)):
        if held < declared:
            item = lut_item(_curve(count, held), declared, packing="words", first=_first(count, is_signed))
            form = {"entries": count, "declared": declared, "held": held, "signed": is_signed}
            content = film(ENTRIES[count], is_signed=is_signed, VOILUTSequence=[item])
            yield Cell("VOI LUT of a wrong depth", form, content, ("+Mv", "+Wl", "1"))


def window_cells() -> Iterator[Cell]:
    """Yield windows: function x centre x width x sign x rescaling x photometric interpretation."""
    forms = product(
        ("LINEAR", "SIGMOID", "LINEAR_EXACT", None), (100.0, 2047.5), (0.5, 1, 2, 300.5, 1500, 5000),
        (False, True), (None, (2.0, -1024.0), (0.5, 10.0)), ("MONOCHROME1", "MONOCHROME2"),
    )  # fmt: skip
    for function, centre, width, is_signed, rescale, photometric in forms:
        middle = centre - 2048 * is_signed
        rescaled = {"RescaleSlope": rescale[0], "RescaleIntercept": rescale[1], "RescaleType": "US"} if rescale else {}
        if rescale:
            middle = middle * rescale[0] + rescale[1]
        form = {"function": function, "centre": middle, "width": width, "signed": is_signed, "rescale": rescale,
                "photometric": photometric}  # fmt: skip
        elements = {"WindowCenter": middle, "WindowWidth": width, "PhotometricInterpretation": photometric, **rescaled}
        content = film(12, is_signed=is_signed, VOILUTFunction=function, **elements)
        # dcmtk knows no exact window, which is a linear one half a value higher and one value wider.
        asked = ("+Ww", str(middle + 0.5), str(width + 1)) if function == "LINEAR_EXACT" else ("+Wi", "1")
        # dcmtk rounds what slope and intercept give; narrower windows than some values show it.
        is_rounded = rescale is not None and rescale[0] % 1 and width <= NARROW
        yield Cell("window of values that dcmtk rounds" if is_rounded else "window", form, content, asked)


def polarity_cells() -> Iterator[Cell]:
    """Yield presentation LUT shapes, windows that are none, several windows, and both steps after each other."""
    shapes, photometrics = (None, "IDENTITY", "INVERSE"), ("MONOCHROME1", "MONOCHROME2")
    for shape, photometric in product(shapes, photometrics):
        content = film(12, PresentationLUTShape=shape, PhotometricInterpretation=photometric)
        yield Cell("polarity", {"shape": shape, "photometric": photometric}, content, ("+Wm",))
    for width in (0, -1, -4096):
        content = film(12, WindowCenter=2048, WindowWidth=width)
        yield Cell("window that is none", {"width": width}, content, ("+Wm",))
        content = film(12, WindowCenter=[100, 2048], WindowWidth=[width, 1000])
        yield Cell("window that is none", {"width": width, "then": 1000}, content, ("+Wi", "2"))
    content = film(12, WindowCenter=[1000, 2048], WindowWidth=[800, 4096])
    yield Cell("several windows", {"windows": 2}, content, ("+Wi", "1"))
    for depth in (8, 12, 16):
        modality = lut_item(_curve(4096, depth, is_falling=True), depth, packing="words", first=0)
        content = film(12, ModalityLUTSequence=[modality], WindowCenter=2 ** (depth - 1), WindowWidth=2**depth)
        yield Cell("modality LUT, then window", {"depth": depth}, content, ("+Wi", "1"))
        voi = lut_item(_curve(2**depth, 12), 12, packing="words", first=0)
        content = film(12, ModalityLUTSequence=[modality], VOILUTSequence=[voi])
        yield Cell("modality LUT, then VOI LUT", {"depth": depth}, content, ("+Wl", "1"))


def film(bits: int, *, is_signed: bool = False, syntax: str = ExplicitVRLittleEndian, **elements) -> bytes:
    """Return a DICOM film that holds each value of so many bits once; an element that is None is left out."""
    side = 2 ** (bits // 2)
    stored = np.arange(2**bits).reshape(side, -1) - (2 ** (bits - 1) if is_signed else 0)
    pixels = stored.astype(np.int16 if is_signed else np.uint16)
    form = {"BitsStored": bits, "HighBit": bits - 1, "PixelRepresentation": int(is_signed)}
    own = dict.fromkeys(OWN) | form | elements | {"PixelData": pixels.tobytes()}
    stream = io.BytesIO()
    made = film_dataset(np.zeros(pixels.shape, np.uint8), **own)
    made.file_meta.TransferSyntaxUID = syntax
    made.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def lut_item(entries: np.ndarray, depth: int, *, packing: str, first: int) -> Dataset:
    """Return one item of a LUT Sequence, explicit in its VRs as exporters write them."""
    item = Dataset()
    vr = "SS" if first < 0 else "US"
    count = len(entries) % 2**16
    item.add_new("LUTDescriptor", vr, [count - 2**16 if vr == "SS" and count > 2**15 else count, first, depth])
    item.add_new("ModalityLUTType", "LO", "US")
    if packing == "US values":
        item.add_new("LUTData", "US", entries.tolist())
    else:
        kind = np.uint8 if packing == "packed bytes" else "<u2"
        item.add_new("LUTData", "OW", entries.astype(kind).tobytes())
    return item


def _curve(count: int, depth: int, *, is_falling: bool = False) -> np.ndarray:
    """Return a curve over all outputs of a depth, as (N,) whole numbers."""
    rising = np.rint(np.linspace(0, 1, count) ** 0.7 * (2**depth - 1)).astype(np.int64)
    return rising[::-1] if is_falling else rising


def _first(count: int, is_signed: bool) -> int:
    return -count // 2 if is_signed else 0
