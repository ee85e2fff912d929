"""Stored values -> grey values as a viewer shows them: modality LUT, then VOI LUT or window, then polarity.

Each step is read from the header first and applied then, so that what had to be assumed can be said with the film.

Source: DICOM PS3.3 C.7.5.1.1.2 (pixel padding), C.11.1 (modality LUT), C.11.2 (VOI LUT, windows and their functions),
C.11.6 and C.8.11.3.1.2 (presentation LUT shape).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pydicom
from numpy.typing import NDArray

from cxrbench.data.images.code_strings import code_word
from cxrbench.data.images.pixels import Unreadable, stretch

LARGEST = 2**16
"""Entries of a lookup table, and values that its descriptor's 16 bits can hold."""
DEPTHS = range(8, 17)
"""Bits that an entry may have; the standard names 8 and 10 to 16."""
LEAST_WIDTH = {"LINEAR": 1.0, "LINEAR_EXACT": 0.0, "SIGMOID": 0.0}
"""Function of a window -> its least width; that of the last two must be larger."""


@dataclass(frozen=True)
class LookupTable:
    """A table from input values to output values.

    Attributes:
        first: Input value of the first entry; lower ones get that entry, too, and those beyond the last the last.
        entries: (N,) uint16.
        depth: Bits that the header declares.
    """

    first: int
    entries: NDArray[np.uint16]
    depth: int

    @classmethod
    def read(cls, item: pydicom.Dataset, *, lowest: float, is_little_endian: bool) -> Self:
        """Read one item of a LUT Sequence.

        Args:
            item: Holds the descriptor and the entries.
            lowest: The least input value that can occur: below zero, the first one is signed whatever its VR.
            is_little_endian: Order of the bytes where the entries come as such.

        Raises:
            Unreadable: The descriptor has not three values, or declares more entries than there are.
        """
        descriptor = item.LUTDescriptor
        if not isinstance(descriptor, Sequence) or len(descriptor) != 3:
            raise Unreadable("a lookup table whose LUT Descriptor has not three values")
        count, first, depth = (int(value) % LARGEST for value in descriptor)
        is_negative = first >= LARGEST // 2 and lowest < 0
        entries = _entries(item["LUTData"].value, count or LARGEST, is_little_endian)
        return cls(first - LARGEST if is_negative else first, entries, depth)

    @property
    def bits(self) -> int:
        """Bits that its largest entry needs; those declared where all entries are zero."""
        return int(self.entries.max()).bit_length() or self.depth

    @property
    def top(self) -> int:
        """Output value that is shown white: the largest of its own bits, which are the declared ones if it is sound."""
        return int(2**self.bits) - 1

    def __call__(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Look values of any shape up."""
        places = np.clip(values.astype(np.int64) - self.first, 0, len(self.entries) - 1)
        return self.entries[places].astype(np.float64)


@dataclass(frozen=True)
class Window:
    """One window: ``function`` is LINEAR, LINEAR_EXACT or SIGMOID."""

    centre: float
    width: float
    function: str

    @property
    def is_valid(self) -> bool:
        """Whether its width is one; exporters write windows of width 0 where they have none."""
        if not (math.isfinite(self.centre) and math.isfinite(self.width)):
            return False
        return self.width >= LEAST_WIDTH[self.function] and self.width > 0

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Map values of any shape to grey, as PS3.3 C.11.2.1.2 and C.11.2.1.3 say."""
        centre, width = self.centre, self.width
        if self.function == "SIGMOID":
            return stretch(1 / (1 + np.exp(-4 * (values - centre) / width)), low=0, high=1)
        if self.function == "LINEAR":  # with its half-pixel shift
            centre, width = centre - 0.5, width - 1
        if not width:
            return np.where(values > centre, np.uint8(255), np.uint8(0))
        return stretch(values, low=centre - width / 2, high=centre + width / 2)


def to_grey(stored: NDArray[np.integer], dataset: pydicom.Dataset) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Map stored values (H, W) to grey values; without VOI LUT and window the whole range is shown.

    Returns:
        (H, W) uint8, 0 black, padding black; and what had to be assumed.
    """
    is_padding = find_padding(stored, dataset)
    values, lowest = _modality(stored, dataset)
    grey, assumed = _shown(values, dataset, is_padding=is_padding, lowest=lowest)
    if is_inverted(dataset):
        grey = 255 - grey
    return np.where(is_padding, np.uint8(0), grey), assumed


def is_inverted(dataset: pydicom.Dataset) -> bool:
    """Tell whether low values are bright: by the Presentation LUT Shape, or else by MONOCHROME1.

    Together, as DX images have them, MONOCHROME1 and INVERSE mean one inversion. MONOCHROME1 with IDENTITY contradict
    each other; the shape, which belongs to the later step, is followed.
    """
    shape = code_word(dataset, "PresentationLUTShape")
    if shape in {"IDENTITY", "INVERSE"}:
        return shape == "INVERSE"
    return code_word(dataset, "PhotometricInterpretation") == "MONOCHROME1"


def find_padding(stored: NDArray[np.integer], dataset: pydicom.Dataset) -> NDArray[np.bool_]:
    """Return which pixels (H, W) lie beside the image proper, by their stored value."""
    first = dataset.get("PixelPaddingValue")
    if first is None:
        return np.zeros(stored.shape, dtype=bool)
    last = dataset.get("PixelPaddingRangeLimit", first)
    low, high = sorted(_as_stored(int(value), dataset) for value in (first, last))
    return np.asarray((stored >= low) & (stored <= high))


def _as_stored(value: int, dataset: pydicom.Dataset) -> int:
    """Return a padding value as pixels hold it: signed as they are, whatever its own VR says."""
    span = 1 << min(int(dataset.BitsAllocated), 16)
    value %= span
    return value - span if int(dataset.PixelRepresentation) and value >= span // 2 else value


def _modality(stored: NDArray[np.integer], dataset: pydicom.Dataset) -> tuple[NDArray[np.float64], float]:
    """Apply the modality LUT, or else slope and intercept; return the values and the least that can occur."""
    lowest = -(2.0 ** (int(dataset.BitsStored) - 1)) if int(dataset.PixelRepresentation) else 0.0
    if "ModalityLUTSequence" in dataset:
        return _table(dataset.ModalityLUTSequence[0], dataset, lowest)(stored.astype(np.float64)), 0.0
    values = stored.astype(np.float64)
    slope, intercept = (_first_number(dataset, name) for name in ("RescaleSlope", "RescaleIntercept"))
    if slope is None or intercept is None or slope == 0:
        return values, lowest
    values = values * slope + intercept
    return values, min(lowest, float(values.min(initial=0)))


def _shown(
    values: NDArray[np.float64], dataset: pydicom.Dataset, *, is_padding: NDArray[np.bool_], lowest: float
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Apply the first VOI LUT or valid window; the whole range where there is neither. Say what was assumed."""
    if "VOILUTSequence" in dataset:
        table = _table(dataset.VOILUTSequence[0], dataset, lowest)
        return stretch(table(values), low=0, high=table.top), _depth_assumed(table)
    windows = _windows(dataset)
    if (window := next((one for one in windows if one.is_valid), None)) is not None:
        return window(values), ()
    image = values[~is_padding]
    assumed = (f"a window of width {windows[0].width:g} is none: the whole range is shown",) if windows else ()
    if not image.size:
        return np.zeros(values.shape, np.uint8), assumed
    return stretch(values, low=float(image.min()), high=float(image.max())), assumed


def _depth_assumed(table: LookupTable) -> tuple[str, ...]:
    """Return what to say of a table whose entries need other bits than it declares."""
    if table.bits == table.depth:
        return ()
    return (f"its VOI LUT is declared of {table.depth} bits and holds {table.bits}: it is shown by its own maximum",)


def _table(item: pydicom.Dataset, dataset: pydicom.Dataset, lowest: float) -> LookupTable:
    syntax = dataset.file_meta.TransferSyntaxUID
    return LookupTable.read(item, lowest=lowest, is_little_endian=bool(syntax.is_little_endian))


def _entries(value: object, count: int, is_little_endian: bool) -> NDArray[np.uint16]:
    """Return a table's entries, of one or two bytes each by the length of all."""
    content = _as_bytes(value, is_little_endian)
    if len(content) < count:
        raise Unreadable(f"a lookup table of {count:,} entries that has {len(content):,} bytes")
    kind = "<u2" if len(content) >= 2 * count else "u1"
    return np.frombuffer(content, kind, count).astype(np.uint16)


def _as_bytes(value: object, is_little_endian: bool) -> bytes:
    """Return the entries as little-endian words, in which the first of two packed bytes is the lower one."""
    if isinstance(value, bytes):
        whole = value[: len(value) // 2 * 2]
        return value if is_little_endian else np.frombuffer(whole, ">u2").astype("<u2").tobytes()
    words = list(value) if isinstance(value, Iterable) else [value]
    return (np.asarray(words, np.int64) % LARGEST).astype("<u2").tobytes()


def _windows(dataset: pydicom.Dataset) -> list[Window]:
    """Return all windows; a function that is none counts as absent."""
    function = code_word(dataset, "VOILUTFunction")
    pairs = zip(_numbers(dataset, "WindowCenter"), _numbers(dataset, "WindowWidth"), strict=False)
    return [Window(centre, width, function if function in LEAST_WIDTH else "LINEAR") for centre, width in pairs]


def _first_number(dataset: pydicom.Dataset, name: str) -> float | None:
    return next(iter(_numbers(dataset, name)), None)


def _numbers(dataset: pydicom.Dataset, name: str) -> list[float]:
    """Return an element's values; none where they are no numbers."""
    try:
        value = dataset.get(name)
        several = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        return [float(str(one)) for one in several if one is not None]
    except ValueError:
        return []
