"""People and models on the same films: modalities, or a model and readers, compared beyond these readers and cases.

Obuchowski and Rockette's analysis of variance of AUCs, with Hillis's degrees of freedom. Which other readers and cases
the answer is meant for decides what counts as chance: see ``Chance``.

Source: Obuchowski and Rockette 1995, doi:10.1080/03610919508813243; Hillis 2007, doi:10.1002/sim.2532; a standalone
model: Hupse et al. 2013, doi:10.1148/radiol.12120218.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from cxrbench.stats import student
from cxrbench.stats.clustered import MIN_PATIENTS
from cxrbench.stats.reader_covariances import ReadAucs

Numbers = NDArray[np.float64]

MIN_READERS = 2
"""What readers have in common cannot be told from one."""


class Chance(StrEnum):
    """What another study would draw anew."""

    READERS_AND_CASES = "readers and cases"
    CASES = "cases"
    """These very readers, on other patients."""
    READERS = "readers"
    """Other readers, on these very patients."""


@dataclass(frozen=True)
class ReaderMean:
    """A mean over readers, of an AUC or of a difference of AUCs; NaN where there is a ``reason``.

    Attributes:
        estimate: The mean.
        std_error: Its standard error for the kind of chance asked for.
        df: Degrees of freedom; infinite where readers are fixed.
        lower: Lower end of the interval.
        upper: Upper end.
        p_value: Two-sided, for a difference of zero; NaN for an AUC.
        readers: Number of readers.
        reason: Why there is no interval, or None.
    """

    estimate: float
    std_error: float
    df: float
    lower: float
    upper: float
    p_value: float
    readers: int
    reason: str | None = None


@dataclass(frozen=True)
class VarianceComponents:
    """Where the AUCs of readers in several modalities vary.

    Attributes:
        reader: Variance of readers.
        interaction: Variance of readers that differs between modalities.
        error: Variance over cases of one reader's AUC in one modality.
        cov1: Covariance over cases of one reader in two modalities.
        cov2: Covariance over cases of two readers in one modality.
        cov3: Covariance over cases of two readers in two modalities.
    """

    reader: float
    interaction: float
    error: float
    cov1: float
    cov2: float
    cov3: float


@dataclass(frozen=True)
class ModalityComparison:
    """Modalities read by the same readers.

    Attributes:
        statistic: F for no difference between modalities.
        df: Degrees of freedom of numerator and denominator; the latter infinite where readers are fixed (then the
            statistic times the former is chi-square).
        p_value: For no difference at all.
        components: Variances and covariances.
        mean_squares: Of modalities, of readers, and of both together.
        modalities: Mean AUC of each modality, with the interval of that modality alone.
        differences: Modality i minus modality k by (i, k), i < k.
        reason: Why there is no test, or None.
    """

    statistic: float
    df: tuple[float, float]
    p_value: float
    components: VarianceComponents
    mean_squares: tuple[float, float, float]
    modalities: tuple[ReaderMean, ...]
    differences: dict[tuple[int, int], ReaderMean]
    reason: str | None = None


def compare_modalities(
    aucs: ReadAucs, modalities: int, *, chance: Chance = Chance.READERS_AND_CASES, confidence: float = 0.95
) -> ModalityComparison:
    """Test whether modalities differ, with intervals of their AUCs and of all differences.

    Args:
        aucs: ``reader_covariances.read_aucs`` of modalities x readers columns: all readers in the first modality, then
            the same readers in the same order in the second.
        modalities: Number of modalities, I, of two or more.
        chance: What another study would draw anew.
        confidence: Confidence of the intervals.

    Raises:
        ValueError: Fewer than two modalities or readers, or columns that do not divide.
    """
    table, covariance = _by_modality(aucs, modalities)
    i, j = table.shape
    squares, components = _mean_squares(table), _components(table, covariance)
    denominator, df = _denominator(squares[2], components, (i, j), chance)
    statistic = squares[0] / denominator if denominator > 0 else np.nan
    reason = _obstacle(aucs) or (None if denominator > 0 else "AUCs do not vary between readers or cases")
    p_value = _upper_tail(statistic, i - 1, df)
    alone = partial(mean_over_readers, chance=chance, confidence=confidence, reason=reason)
    return ModalityComparison(
        statistic=float(statistic),
        df=(float(i - 1), df),
        p_value=np.nan if reason else p_value,
        components=components,
        mean_squares=squares,
        modalities=tuple(replace(alone(table[row], covariance[row, :, row]), p_value=np.nan) for row in range(i)),
        differences={
            (a, b): _mean(float(table[a].mean() - table[b].mean()), 2 / j * denominator, df, confidence, j, reason)
            for a in range(i)
            for b in range(a + 1, i)
        },
        reason=reason,
    )


def compare_with_readers(
    aucs: ReadAucs, *, chance: Chance = Chance.READERS_AND_CASES, confidence: float = 0.95
) -> ReaderMean:
    """AUC of a model less the mean AUC of readers who read the same cases without it.

    The model is one treatment without readers of its own: the differences from it are what varies.

    Args:
        aucs: ``reader_covariances.read_aucs`` whose first column is the model and whose others are readers.
        chance: What another study would draw anew; the model never.
        confidence: Confidence of the interval.

    Raises:
        ValueError: Fewer than two readers.
    """
    j = len(aucs.auc) - 1
    _check_readers(j)
    contrasts = np.concatenate([np.ones((j, 1)), -np.eye(j)], axis=1)  # the model minus each reader
    return mean_over_readers(
        contrasts @ aucs.auc,
        contrasts @ aucs.covariance @ contrasts.T,
        chance=chance,
        confidence=confidence,
        reason=_obstacle(aucs),
    )


def mean_over_readers(
    values: Numbers, covariance: Numbers, *, chance: Chance, confidence: float = 0.95, reason: str | None = None
) -> ReaderMean:
    """Mean of one value per reader (J,), whose covariance (J, J) over cases is known.

    Args:
        values: (J,) AUCs, or differences from a model.
        covariance: (J, J) over cases.
        chance: What another study would draw anew.
        confidence: Confidence of the interval.
        reason: Why no interval may be offered, if so.
    """
    j = len(values)
    _check_readers(j)
    spread, shared, own = float(values.var(ddof=1)), _off_diagonal(covariance), float(np.diag(covariance).mean())
    if chance is Chance.CASES:
        variance, df = (own + (j - 1) * max(shared, 0.0)) / j, np.inf
    else:
        common = max(j * shared, 0.0) if chance is Chance.READERS_AND_CASES else 0.0
        variance = (spread + common) / j
        df = (spread + common) ** 2 / (spread**2 / (j - 1)) if spread > 0 else np.inf
    return _mean(float(values.mean()), variance, df, confidence, j, reason)


def _by_modality(aucs: ReadAucs, modalities: int) -> tuple[Numbers, Numbers]:
    """AUCs (I, J) and their covariance (I, J, I, J)."""
    k = len(aucs.auc)
    if modalities < 2 or k % modalities:
        raise ValueError(f"needs two modalities or more, each with all readers; got {modalities} for {k} columns")
    j = k // modalities
    _check_readers(j)
    return aucs.auc.reshape(modalities, j), aucs.covariance.reshape(modalities, j, modalities, j)


def _check_readers(readers: int) -> None:
    if readers < MIN_READERS:
        raise ValueError(f"needs two readers or more; got {readers}: compare one reader as a model is compared")


def _mean_squares(table: Numbers) -> tuple[float, float, float]:
    """Mean squares of modalities, of readers and of both together."""
    i, j = table.shape
    of_modality, of_reader, whole = table.mean(axis=1), table.mean(axis=0), table.mean()
    rest = table - of_modality[:, None] - of_reader + whole
    return (
        float(j * ((of_modality - whole) ** 2).sum() / (i - 1)),
        float(i * ((of_reader - whole) ** 2).sum() / (j - 1)),
        float((rest**2).sum() / ((i - 1) * (j - 1))),
    )


def _components(table: Numbers, covariance: Numbers) -> VarianceComponents:
    """Variance components by equating mean squares and averaged covariances."""
    i, j = table.shape
    of_readers = np.einsum("ijkj->ikj", covariance)  # (I, I, J) one reader in two modalities
    of_modalities = np.einsum("ijil->ijl", covariance)  # (I, J, J) two readers in one modality
    error = float(np.einsum("ijij->ij", covariance).mean())
    cov1 = float((of_readers.sum() - error * i * j) / (i * (i - 1) * j))
    cov2 = float((of_modalities.sum() - error * i * j) / (i * j * (j - 1)))
    rest = covariance.sum() - of_readers.sum() - of_modalities.sum() + error * i * j
    cov3 = float(rest / (i * (i - 1) * j * (j - 1)))
    _, readers, both = _mean_squares(table)
    return VarianceComponents(
        reader=(readers - both) / i - cov1 + cov3,
        interaction=both - error + cov1 + max(cov2 - cov3, 0.0),
        error=error,
        cov1=cov1,
        cov2=cov2,
        cov3=cov3,
    )


def _denominator(
    both: float, components: VarianceComponents, shape: tuple[int, int], chance: Chance
) -> tuple[float, float]:
    """What the mean square of modalities is expected to be if they are equal, and its degrees of freedom."""
    i, j = shape
    shared = max(components.cov2 - components.cov3, 0.0)
    if chance is Chance.CASES:
        return components.error - components.cov1 + (j - 1) * shared, np.inf
    total = both + (j * shared if chance is Chance.READERS_AND_CASES else 0.0)
    return total, float(total**2 / (both**2 / ((i - 1) * (j - 1)))) if both > 0 else np.inf


def _upper_tail(statistic: float, df1: float, df2: float) -> float:
    """Probability of an F at least so large."""
    return float(fdtrc(df1, min(df2, 1e12), statistic))


def _off_diagonal(covariance: Numbers) -> float:
    """Mean covariance of two different readers."""
    j = len(covariance)
    return float((covariance.sum() - np.trace(covariance)) / (j * (j - 1)))


def _mean(
    estimate: float, variance: float, df: float, confidence: float, readers: int, reason: str | None
) -> ReaderMean:
    """A mean with its interval, or the reason why there is none."""
    if reason is None and not variance > 0:
        reason = "AUCs do not vary between readers or cases"
    if reason is not None:
        return ReaderMean(estimate, np.nan, np.nan, np.nan, np.nan, np.nan, readers, reason)
    std_error, at_most = float(np.sqrt(variance)), min(df, 1e12)
    half = float(student.half_width(confidence, at_most)) * std_error
    p_value = float(student.two_sided_p(estimate / std_error, at_most))
    return ReaderMean(estimate, std_error, df, estimate - half, estimate + half, p_value, readers)


def _obstacle(aucs: ReadAucs) -> str | None:
    """Why no interval can be had, or None."""
    fewest = int(aucs.patients.min())
    if fewest < MIN_PATIENTS:
        return f"{fewest} patients of a class were read by everyone; an interval needs {MIN_PATIENTS}"
    return None if np.isfinite(aucs.covariance).all() else "a read lacks a class"
