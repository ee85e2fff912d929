"""Scores of models with known AUC on patients whose images resemble each other."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from validation.population import Population

AUCS = (0.78, 0.88, 0.86, 0.70, 0.82, 0.76, 0.73, 0.85, 0.75, 0.85, 0.90, 0.79, 0.77, 0.92, 0.74)
"""AUC aimed at per finding, in NIH order: about what networks reach."""


@dataclass(frozen=True)
class Effects:
    """Where a score's unit variance comes from. All shares are from 0 to 1.

    Attributes:
        name: Of the setting.
        patient: Share of what models have in common that all images of a patient have in common.
        own: Share of the variance in which models differ.
        own_patient: Share of that which all images of a patient have in common: disagreement driven by patients.
        size_shift: Shift of both classes per standard deviation of the (log) number of a patient's images.
        size_ease: Gain in separation per standard deviation of it; with the shift, informative cluster size.
    """

    name: str
    patient: float
    own: float = 0.3
    own_patient: float = 0.3
    size_shift: float = 0.0
    size_ease: float = 0.0


SETTINGS = (
    Effects("moderate patient effects", patient=0.25),
    Effects("strong patient effects", patient=0.5, own_patient=0.5),
    Effects("disagreement driven by patients", patient=0.25, own=0.5, own_patient=0.9),
    Effects("informative cluster size", patient=0.25, size_shift=0.3, size_ease=-0.2),
)


def separation(aucs: np.ndarray) -> np.ndarray:
    """Distance of the class means that gives the AUC between scores of unit variance."""
    return np.sqrt(2) * ndtri(aucs)


def true_aucs(population: Population, effects: Effects, distance: np.ndarray) -> np.ndarray:
    """AUC (L,) of a random positive against a random negative image of the population, exact."""
    sizes, of_positive, of_negative = population.image_shares()
    z = population.standard_size(sizes)
    gap = effects.size_shift * (z[:, None] - z) + effects.size_ease * z[:, None]  # positive (S, 1), negative (1, S)
    return np.array([
        of_positive[:, k] @ ndtr((distance[k] + gap) / np.sqrt(2)) @ of_negative[:, k] for k in range(len(distance))
    ])  # fmt: skip


def draw_scores(
    rng: np.random.Generator,
    code: np.ndarray,
    labels: np.ndarray,
    *,
    size: np.ndarray,
    effects: Effects,
    distance: np.ndarray,
    models: int = 2,
) -> np.ndarray:
    """Scores (N, models * L) of equally good models.

    Args:
        rng: Source of randomness.
        code: (N,) patient of each image.
        labels: (N, L) truth.
        size: (P,) standardised number of images of each patient.
        effects: Where the variance comes from.
        distance: (L,) or (N, L) separation of the classes.
        models: How many.
    """
    (n, findings), patients = labels.shape, len(size)

    def correlated(rows: int, columns: int) -> np.ndarray:
        """Normal values (rows, columns), half of whose variance all columns share."""
        common, single = (rng.standard_normal((rows, c), dtype=np.float32) for c in (1, columns))
        return np.float32(np.sqrt(0.5)) * (common + single)

    def mixed(patient_share: float, image_part: np.ndarray) -> np.ndarray:
        """Values (N, L) of unit variance, of which the images of a patient share a part."""
        by_patient = np.float32(np.sqrt(patient_share)) * correlated(patients, findings)
        return by_patient[code] + np.float32(np.sqrt(1 - patient_share)) * image_part

    ease = (effects.size_ease * size)[code, None]
    signal = labels * (distance + ease) + (effects.size_shift * size)[code, None]
    shared = np.sqrt(1 - effects.own) * mixed(effects.patient, correlated(n, findings))
    base = (signal + shared).astype(np.float32)
    own = [mixed(effects.own_patient, rng.standard_normal((n, findings), dtype=np.float32)) for _ in range(models)]
    return np.hstack([base + np.float32(np.sqrt(effects.own)) * part for part in own])
