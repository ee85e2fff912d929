"""The one definition of how a film becomes what a network sees, and the way back for maps of what it saw.

A film (H, W) is padded to a centred square, shrunk to the store's size, and its centre is what the network sees. The
network's maps are coarse grids over what it sees: each cell stands for an equal share of it, and between the centres of
cells values are interpolated linearly. Decoding processes import this module, so it imports little.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from cxrbench.config import Input

DEFINITION = "zero-padded to a centred square; cv2.INTER_AREA to shrink, cv2.INTER_LINEAR to enlarge; version 1"
"""Part of a store's identity: change the words whenever the pixels change."""
Squares = Mapping[int, NDArray[np.uint8]]
"""Store size -> (S, S) film."""
Numbers = NDArray[np.float32]


def pad_to_square(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Zero-pad a (H, W) image to (S, S), S the longer side; an odd row or column goes to the end, a square is kept."""
    height, width = image.shape
    if height == width:
        return image
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    return np.pad(image, ((top, side - height - top), (left, side - width - left)))


def resize_square(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize a square image to (``size``, ``size``): area averaging to shrink, bilinear to enlarge."""
    filter_ = cv2.INTER_AREA if len(image) > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (size, size), interpolation=filter_), dtype=np.uint8)


def shrink(pixels: NDArray[np.uint8], sizes: Iterable[int]) -> dict[int, NDArray[np.uint8]]:
    """Return a film (H, W) as the store keeps it: padded to a square, at each size."""
    square = pad_to_square(pixels)
    return {size: resize_square(square, size) for size in sizes}


def crop_side(*, source: int, size: int, crop: float | None) -> float:
    """Return the side of the centre crop in the source's pixels.

    Args:
        source: Side of the square source images, pixels.
        size: Side of the square output, pixels.
        crop: Side of the crop as a share of the source's; None: ``size`` pixels at the source's own resolution.
    """
    return size if crop is None else crop * source


def centre_affine(*, source: int, size: int, crop: float | None = None) -> NDArray[np.float64]:
    """Return the map (1, 2, 3) of the centre crop, from output to source pixels; arguments as ``crop_side``.

    Pixel centres lie at whole numbers, edges at halves.
    """
    scale = 1.0 if crop is None else crop * source / size
    offset = source / 2 - 0.5 - scale * ((size - 1) / 2)
    return np.array([[[scale, 0.0, offset], [0.0, scale, offset]]])


@dataclass(frozen=True)
class Frame:
    """How one film becomes the network's input; all in pixels.

    Attributes:
        height: Of the film.
        width: Of the film.
        store_size: Side of the shrunk square.
        image_size: Side of the network's input.
        evaluation_crop: Side of the square's centre that becomes the input, as a share of the square's; None: as many
            pixels of the store's as the input has.
    """

    height: int
    width: int
    store_size: int
    image_size: int
    evaluation_crop: float | None = None

    @property
    def shown(self) -> float:
        """Side of the centre that the network sees, in the store's pixels."""
        return crop_side(source=self.store_size, size=self.image_size, crop=self.evaluation_crop)

    @property
    def side(self) -> int:
        """Of the square that the film is padded to."""
        return max(self.height, self.width)

    @property
    def seen(self) -> tuple[float, float, float, float]:
        """What the network sees of the film: ``x, y, width, height`` in its pixels."""
        top, left = self._padding
        (y, height), (x, width) = self._span(self.height, top), self._span(self.width, left)
        return x, y, width, height

    def shrink(self, film: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The film (H, W) as the store keeps it: (S, S)."""
        return shrink(film, (self.store_size,))[self.store_size]

    def restore(self, square: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The store's square (S, S) at the film's size (H, W); for when the film itself is not at hand."""
        top, left = self._padding
        return resize_square(square, self.side)[top : top + self.height, left : left + self.width]

    def shrunk(self, side: int) -> Self:
        """The frame of the same film shrunk to at most this longer side, for maps that need no more detail."""
        scale = min(1.0, side / self.side)
        return replace(self, height=max(1, round(self.height * scale)), width=max(1, round(self.width * scale)))

    def to_film(self, cells: NDArray[np.floating]) -> Numbers:
        """A map (h, w) over what the network sees, in the film's own pixels.

        Returns:
            (H, W) float32, NaN where the network saw nothing.
        """
        top, left = self._padding
        rows = self._weights(cells.shape[0], pixels=self.height, padding=top)  # (H, h)
        columns = self._weights(cells.shape[1], pixels=self.width, padding=left)  # (W, w)
        return np.asarray(rows @ cells @ columns.T, np.float32)

    @property
    def _padding(self) -> tuple[int, int]:
        """Rows above and columns left of the film in its square."""
        return (self.side - self.height) // 2, (self.side - self.width) // 2

    def _span(self, pixels: int, padding: int) -> tuple[float, float]:
        """Where what the network sees begins along one side of the film, and how long it is."""
        unseen = self.side * (1 - self.shown / self.store_size) / 2
        start, end = max(0.0, unseen - padding), min(float(pixels), self.side - unseen - padding)
        return start, end - start

    def _weights(self, cells: int, *, pixels: int, padding: int) -> NDArray[np.float64]:
        """What each cell adds to each pixel (pixels, cells); NaN outside what the network sees."""
        square = np.arange(pixels) + padding + 0.5
        seen = square * self.store_size / self.side - (self.store_size - self.shown) / 2
        place = seen * cells / self.shown - 0.5  # centres of cells at whole numbers
        weights = np.maximum(0, 1 - np.abs(place.clip(0, cells - 1)[:, None] - np.arange(cells)))
        weights[(seen < 0) | (seen > self.shown)] = np.nan
        return np.asarray(weights)


def input_frame(seen: "Input", height: int, width: int) -> Frame:
    """How a film of this size becomes the input of an approach's network."""
    return Frame(
        height, width, store_size=seen.store_size, image_size=seen.image_size, evaluation_crop=seen.evaluation_crop
    )
