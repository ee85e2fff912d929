"""Is a film as bright, and as rich in contrast, as the films a model was trained on?

What standardised miniatures cannot show: a film that is nearly black, washed out, or cut to black and white by a
window, by one bright pixel, or by a lost bit depth changes the answer, but keeps its look.
"""

from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cxrbench.config import Settings

SHARE_BEYOND = 0.005
"""Share of the training films beyond each end of each range."""
SLACK = 0.05
"""Share of a range that each end is moved outwards: few films tell the ends badly, and what is meant lies far out."""
LEAST_SLACK = 0.5
"""Grey levels; where all training films are alike."""
REASONS = "exposure, window or bit depth may be wrong"

Range = tuple[float, float]


class GreyLevels(Settings):
    """Mean and SD of the training films' miniatures, grey values in 0..255."""

    mean: Range = Field(description="0.5 and 99.5 % of the training films' mean grey")
    sd: Range = Field(description="0.5 and 99.5 % of the training films' SD of grey")

    @classmethod
    def fit(cls, miniatures: NDArray[np.uint8]) -> Self:
        """Learn from the (N, 16, 16) miniatures of training films."""
        means, sds = miniatures.mean(axis=(1, 2)), miniatures.std(axis=(1, 2))
        return cls(mean=_range_of(means), sd=_range_of(sds))

    def warnings_of(self, miniature: NDArray[np.uint8]) -> tuple[str, ...]:
        """What to say about one film by its (16, 16) miniature; nothing when its grey is the training films'."""
        mean, sd = float(miniature.mean()), float(miniature.std())
        compared = (
            _compared(mean, self.mean, "mean grey", ("darker", "brighter")),
            _compared(sd, self.sd, "SD of grey", ("of less contrast", "of more contrast")),
        )
        return tuple(said for said in compared if said)


def _range_of(values: NDArray[np.float64]) -> Range:
    low, high = np.quantile(values, [SHARE_BEYOND, 1 - SHARE_BEYOND])
    return float(low), float(high)


def _compared(value: float, among: Range, what: str, words: tuple[str, str]) -> str | None:
    """What to say of a value beyond a range."""
    low, high = among
    slack = max(LEAST_SLACK, SLACK * (high - low))
    if low - slack <= value <= high + slack:
        return None
    word = words[value > high]
    return (
        f"{word} than {1 - SHARE_BEYOND:.1%} of the training films ({what} {value:.0f}, theirs {low:.0f} to "
        f"{high:.0f}): {REASONS}"
    )
