"""A film that everyone can make, and what the bundle answered when it was made: is this installation the same?

The film is a formula in whole numbers, so that it is the same bytes everywhere and nobody's patient.
"""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from cxrbench.bundle.answers import mean_probability
from cxrbench.bundle.differences import Difference, largest_difference
from cxrbench.bundle.inputs import network_input
from cxrbench.bundle.record import ROUNDING, Coefficient, Member, Share
from cxrbench.config import Settings
from cxrbench.data.geometry import shrink
from cxrbench.errors import BundleError

HEIGHT, WIDTH = 640, 512
AGE_YEARS, SEX, VIEW = 50.0, "F", "PA"
TOLERANCE = 1e-5
"""Largest difference of a logit, or of its share where it is above 1: float32 has seven digits."""

Network = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]
"""Films (B, 1, H, W) in 0..1 and features (B, F) -> logits (B, L)."""


class Reference(Settings):
    """The reference input's digest and the outputs it had."""

    formula: str = Field("reference film, version 1", description="which formula made the film")
    pixels_sha256: str
    logits: tuple[tuple[Coefficient, ...], ...] = Field(description="(M, L)")
    probabilities: tuple[Share, ...] = Field(description="(L,)")


def reference_film() -> NDArray[np.uint8]:
    """(640, 512) uint8: two dark fields on a bright trunk, ribs, a heart; whole numbers only."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.int64)
    grey = 200 - ((x - 256) ** 2) // 700
    for centre, radius in ((150, 95), (362, 95)):
        inside = ((x - centre) * 1000 // radius) ** 2 + ((y - 310) * 1000 // 210) ** 2 < 1_000_000
        grey = np.where(inside, 70 + ((y * 3 + (x - centre) ** 2 // 40) % 64) // 2, grey)
    heart = ((x - 285) * 1000 // 90) ** 2 + ((y - 420) * 1000 // 100) ** 2 < 1_000_000
    grey = np.where(heart, 175, grey) + (x * 7 + y * 13) % 11
    return np.asarray(grey.clip(0, 255), dtype=np.uint8)


def reference_logits(members: Sequence[Member], networks: Sequence[Network]) -> NDArray[np.float64]:
    """(M, L) logits of the reference film, patient and view position."""
    facts = pl.DataFrame({"age_years": [AGE_YEARS], "sex": [SEX], "view": [VIEW]})
    film = reference_film()
    rows = []
    for member, network in zip(members, networks, strict=True):
        size = member.approach.input.store_size
        squares = shrink(film, [size])[size][None]
        rows.append(network(network_input(squares, member), member.feature_scaling.encode(facts))[0])
    return np.stack(rows).astype(np.float64)


def check_fits(reference: Reference, members: Sequence[Member], findings: tuple[str, ...], *, where: str) -> None:
    """See that the outputs are of these members and findings, and the probabilities those of their calibrations.

    Raises:
        BundleError: They are not.
    """
    sides = {len(reference.probabilities), *map(len, reference.logits)}
    if len(reference.logits) != len(members) or sides != {len(findings)}:
        raise BundleError(f"{where}: its outputs are not those of {len(members)} members and {len(findings)} findings")
    expected = mean_probability(members, findings, np.array(reference.logits)[:, None, :])[0]
    for finding, found, value in zip(findings, reference.probabilities, expected, strict=True):
        if abs(found - value) > ROUNDING:
            raise BundleError(f"{where}: probability {found} of {finding} does not fit its calibration, {value}")


def film_digest() -> str:
    """SHA-256 (hex) of the reference film's bytes."""
    return hashlib.sha256(reference_film().tobytes()).hexdigest()


def check_reference(
    reference: Reference,
    members: Sequence[Member],
    networks: Sequence[Network],
    findings: tuple[str, ...],
    *,
    tolerance: float = TOLERANCE,
) -> float:
    """Compare this installation's outputs with those that the bundle was made with.

    Returns:
        The largest difference of a logit, relative where the logit is above 1.

    Raises:
        BundleError: One is beyond ``tolerance``; the message names the finding and both logits.
    """
    difference = reference_difference(reference, members, networks)
    if not difference.largest <= tolerance:
        raise BundleError(
            f"the reference film gives another answer than when the bundle was made: {findings[difference.column]} of "
            f"member {difference.row + 1} has logit {difference.found:.6f}, expected {difference.expected:.6f}; "
            "this installation computes differently (versions of torch and OpenCV?): do not use it"
        )
    return difference.largest


def reference_difference(reference: Reference, members: Sequence[Member], networks: Sequence[Network]) -> Difference:
    """How far this installation's outputs (a row is a member's) lie from those that the bundle was made with.

    Raises:
        BundleError: The film itself is another one.
    """
    if film_digest() != reference.pixels_sha256:
        raise BundleError("the reference film differs from the one the bundle was made with; use the same version")
    return largest_difference(reference_logits(members, networks), np.array(reference.logits))
