"""Does a film look like the films a model was trained on? Two numbers of its 16 x 16 miniature.

Each miniature is standardised to mean 0 and SD 1, so that exposure does not matter; that is looked at by itself
(``grey_levels``). *Likeness* is its correlation
with the mean miniature of the training films: an inverted film has a negative one. *Strangeness* is the share of its
variance that the training films' mean and principal components do not explain: another picture has a large one. Limits
are those of films that the components have not seen: each half of the training films is measured by the other's.
"""

from typing import Annotated, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cxrbench.bundle.grey_levels import GreyLevels
from cxrbench.config import Settings

SIDE = 16
COMPONENTS = 16
SHARE_BEYOND = 0.01
"""Share of the training films that lies beyond each limit."""
FILMS = 4000
"""At most so many training films are looked at, evenly spread."""
FLAT = 1.0
"""Grey levels; a miniature of a smaller SD is uniform."""

Numbers = NDArray[np.float64]
Bounded = Annotated[float, Field(ge=-SIDE, le=SIDE)]
"""No value of a standardised miniature can be beyond."""
Picture = Annotated[tuple[Bounded, ...], Field(min_length=SIDE**2, max_length=SIDE**2)]


class PixelStatistics(Settings):
    """The look of the training films, in miniature."""

    films: int = Field(ge=1, description="training films that were looked at")
    mean: Picture = Field(description="mean standardised miniature, row by row")
    components: tuple[Picture, ...] = Field(min_length=1, description="orthonormal principal components, row by row")
    lowest_likeness: Bounded
    highest_strangeness: Bounded
    grey: GreyLevels

    @classmethod
    def fit(cls, miniatures: NDArray[np.uint8]) -> Self:
        """Learn from the (N, 16, 16) miniatures of training films."""
        standard = _standardised(miniatures)
        halves = (standard[::2], standard[1::2]) if len(standard) > 1 else (standard, standard)
        crossed = [_measured(seen, *_learnt(learnt)) for seen, learnt in (halves, halves[::-1])]
        likeness, strangeness = np.concatenate(crossed, axis=1)
        mean, components = _learnt(standard)
        return cls(
            films=len(miniatures),
            mean=tuple(mean.tolist()),
            components=tuple(tuple(row) for row in components.tolist()),
            lowest_likeness=float(np.quantile(likeness, SHARE_BEYOND)),
            highest_strangeness=float(np.quantile(strangeness, 1 - SHARE_BEYOND)),
            grey=GreyLevels.fit(miniatures),
        )

    def measure(self, miniatures: NDArray[np.uint8]) -> tuple[Numbers, Numbers]:
        """Likeness (N,) in -1..1 and strangeness (N,) in 0..1 or more, of (N, 16, 16) miniatures."""
        return _measured(_standardised(miniatures), np.array(self.mean), np.array(self.components))

    def warnings_of(self, miniature: NDArray[np.uint8]) -> tuple[str, ...]:
        """What to say about one film by its (16, 16) miniature; nothing when it looks like a training film."""
        if miniature.std() < FLAT:
            return ("the image is uniform; it shows no chest",)
        return (*self._look_warnings(miniature), *self.grey.warnings_of(miniature))

    def _look_warnings(self, miniature: NDArray[np.uint8]) -> tuple[str, ...]:
        """What to say of its look, whatever its exposure."""
        likeness, strangeness = (float(values[0]) for values in self.measure(miniature[None]))
        if likeness >= self.lowest_likeness and strangeness <= self.highest_strangeness:
            return ()
        guess = (
            "it looks inverted" if self._is_inverted(likeness, miniature) else "is it a frontal chest film, upright?"
        )
        numbers = (
            f"likeness {likeness:.2f} (at least {self.lowest_likeness:.2f}), "
            f"unexplained variance {strangeness:.2f} (at most {self.highest_strangeness:.2f})"
        )
        return (f"outside the training films by its look: {numbers}; {guess}",)

    def _is_inverted(self, likeness: float, miniature: NDArray[np.uint8]) -> bool:
        """Return whether the negative of the film would pass."""
        if likeness >= 0:
            return False
        negative, strangeness = self.measure(255 - miniature[None])
        return bool(negative[0] >= self.lowest_likeness and strangeness[0] <= self.highest_strangeness)


def miniature(square: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(16, 16) miniature of a square film, by area."""
    return np.asarray(cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def spread_over(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most ``FILMS`` of the rows, evenly spread."""
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), FILMS)).round().astype(np.int64))
    return rows[chosen]


def _standardised(miniatures: NDArray[np.uint8]) -> Numbers:
    """(N, 256) of mean 0 and SD 1; uniform ones stay zero."""
    flat = miniatures.reshape(len(miniatures), -1).astype(np.float64)
    centred = flat - flat.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(flat.std(axis=1, keepdims=True), FLAT))


def _learnt(standard: Numbers) -> tuple[Numbers, Numbers]:
    """Mean (256,) and principal components (16, 256), fewer where there are fewer films."""
    mean = standard.mean(axis=0)
    return mean, np.linalg.svd(standard - mean, full_matrices=False)[2][:COMPONENTS]


def _measured(standard: Numbers, mean: Numbers, components: Numbers) -> tuple[Numbers, Numbers]:
    """Likeness and strangeness of standardised miniatures."""
    likeness = standard @ mean / (len(mean) * max(float(mean.std()), 1e-9))
    rest = standard - mean
    rest = rest - (rest @ components.T) @ components
    return likeness, np.asarray((rest**2).mean(axis=1))
