"""Does an exported network give torch's logits? If not, it is not exported."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxrbench.bundle import Member
from cxrbench.bundle.differences import largest_difference
from cxrbench.bundle.inputs import network_input
from cxrbench.bundle.reference import AGE_YEARS, SEX, VIEW, reference_film
from cxrbench.data.geometry import shrink
from cxrbench.errors import BundleError
from cxrbench.export.graph import facts_as_numbers
from cxrbench.predict.backends import Backend
from cxrbench.predict.exported import TOLERANCE

Floats = NDArray[np.float32]
Network = Callable[[NDArray[Any], Floats], Floats]

RANDOM_FILMS = 7
COARSE = 8
"""Cells a side of the films whose grey values change slowly."""


@dataclass(frozen=True)
class Samples:
    """Films and what is known of their patients.

    Attributes:
        squares: (N, S, S) uint8 of a member's store size.
        facts: (N) rows of ``age_years``, ``sex`` and ``view``.
    """

    squares: NDArray[np.uint8]
    facts: pl.DataFrame

    def for_torch(self, member: Member) -> tuple[Floats, Floats]:
        """What the member's own network takes."""
        return network_input(self.squares, member), member.feature_scaling.encode(self.facts)

    def for_export(self, member: Member, *, has_preprocessing: bool) -> tuple[NDArray[Any], Floats]:
        """What the exported network takes."""
        if has_preprocessing:
            return self.squares, facts_as_numbers(member.feature_scaling, self.facts)
        return self.for_torch(member)


def parity_samples(size: int, *, seed: int = 0) -> Samples:
    """The reference film and random ones, noise and clouds, of patients known and unknown."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (RANDOM_FILMS // 2, size, size), dtype=np.uint8)
    cells = rng.integers(0, 256, (RANDOM_FILMS - len(noise), COARSE, COARSE), dtype=np.uint8)
    films = [reference_film(), *noise, *cells]
    facts = {
        "age_years": [AGE_YEARS, *rng.uniform(0, 100, RANDOM_FILMS - 1), None],
        "sex": [SEX, *rng.choice(["F", "M"], RANDOM_FILMS - 1), None],
        "view": [VIEW, *rng.choice(["PA", "AP"], RANDOM_FILMS - 1), "LL"],
    }
    schema = {"age_years": pl.Float32, "sex": pl.String, "view": pl.String}
    return Samples(np.stack([shrink(film, [size])[size] for film in films]), pl.DataFrame(facts, schema=schema))


def compared_logits(
    member: Member, torch_network: Backend, exported: Network, *, has_preprocessing: bool
) -> tuple[Floats, Floats]:
    """Logits (N, L) that an exported network gives, one film alone, then the others at once; and torch's."""
    samples = parity_samples(member.approach.input.store_size)
    films, features = samples.for_export(member, has_preprocessing=has_preprocessing)
    found = np.concatenate([exported(films[:1], features[:1]), exported(films[1:], features[1:])])
    return found, torch_network(*samples.for_torch(member))


def checked_difference(found: Floats, expected: Floats, findings: tuple[str, ...]) -> float:
    """Largest difference of logits (N, L), relative where the expected one is above 1.

    Raises:
        BundleError: It is beyond ``TOLERANCE``.
    """
    if found.shape != expected.shape:
        raise BundleError(f"the exported network gives logits {found.shape}, torch {expected.shape}: not exported")
    difference = largest_difference(found, expected)
    if not difference.largest <= TOLERANCE:
        raise BundleError(
            f"the exported network answers otherwise than torch: {findings[difference.column]} of film "
            f"{difference.row + 1} has logit {difference.found:.6f}, expected {difference.expected:.6f}, more than "
            f"{TOLERANCE:g} apart: not exported"
        )
    return difference.largest
