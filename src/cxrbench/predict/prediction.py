"""What a bundle says about one film."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A bundle's answer about one film: a number for each of the K findings of ``Bundle.answered``, in its order.

    Attributes:
        logits: (M, K) of the members.
        probabilities: (K,) calibrated where the bundle could be; mean over the members.
        is_present: (K,) whether the probability reaches the threshold; None where there is none.
        percentiles: (K,) place among the validation part's probabilities, 0..100.
        warnings: Why the answer may be worth less than the bundle's card says.
    """

    logits: NDArray[np.float32]
    probabilities: NDArray[np.float64]
    is_present: tuple[bool | None, ...]
    percentiles: NDArray[np.float64]
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """A file and its answer, or why there is none.

    Attributes:
        path: As it was given.
        answer: None where the file could not be read.
        error: None where it could.
    """

    path: str
    answer: Answer | None = None
    error: str | None = None
