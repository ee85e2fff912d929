"""Several models as one: the mean of what their members say.

Members must have scored the same images: seeds or approaches on one split, or re-samples with the same test part.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from cxrbench.stats.sorting import midranks

Numbers = NDArray[np.float64]


def mean_probability(logits: ArrayLike) -> Numbers:
    """Mean over members of the probability, (N, L), of ``logits`` (M, N, L).

    Raises:
        ValueError: No member.
    """
    return np.asarray(expit(_members(logits)).mean(axis=0))


def mean_rank(scores: ArrayLike) -> Numbers:
    """Mean over members of the rank within the test set, (N, L) from 0 to 1, of ``scores`` (M, N, L) in any unit.

    For members whose scales differ, as those of different approaches. A rank is no probability, and depends on the
    other images of the test set.

    Raises:
        ValueError: No member.
    """
    members = _members(scores)
    ranks = np.stack([[midranks(column) for column in member.T] for member in members])  # (M, L, N)
    return np.asarray((ranks.mean(axis=0).T - 0.5) / members.shape[1])


def _members(values: ArrayLike) -> Numbers:
    """One array of all members."""
    members = np.asarray(values, dtype=np.float64)
    if members.ndim != 3 or not len(members):
        raise ValueError(f"needs members x images x findings, one member or more; got shape {members.shape}")
    return members
