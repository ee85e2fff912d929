"""A film's square -> what a member's network sees; the same code as the study's batches."""

import numpy as np
from numpy.typing import NDArray

from cxrbench.bundle.record import Member
from cxrbench.data.augment import warp
from cxrbench.data.geometry import centre_affine


def network_input(squares: NDArray[np.uint8], member: Member) -> NDArray[np.float32]:
    """Films (B, S, S) of the member's store size -> its centre crops (B, 1, H, W), grey values in 0..1."""
    seen = member.approach.input
    affine = centre_affine(source=squares.shape[1], size=seen.image_size, crop=seen.evaluation_crop)
    return np.asarray(warp(squares, affine, size=seen.image_size), dtype=np.float32)
