"""From the network's cells back to the film: padding, shrinking and centre crop undone.

A film (H, W) is padded to a centred square, shrunk to the store's size, and its centre is what the network sees
(``data/geometry``, ``data/augment.centre_affine``). The network's maps are coarse grids over what it sees; each
cell stands for an equal share of it, and between the centres of cells values are interpolated linearly.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cxrbench.config import Input
from cxrbench.data.geometry import pad_to_square, resize_square

Numbers = NDArray[np.float32]


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
        return self.image_size if self.evaluation_crop is None else self.evaluation_crop * self.store_size

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
        return resize_square(pad_to_square(film), self.store_size)

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


def input_frame(seen: Input, height: int, width: int) -> Frame:
    """How a film of this size becomes the input of an approach's network."""
    return Frame(
        height, width, store_size=seen.store_size, image_size=seen.image_size, evaluation_crop=seen.evaluation_crop
    )
