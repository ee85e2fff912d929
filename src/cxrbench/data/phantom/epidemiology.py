"""How often each finding occurs, and what makes it likelier.

Prevalences, odds ratios of the view, persistence and co-occurrence follow the NIH release (computed from its
``Data_Entry_2017_v2020.csv``). The odds ratios of age, and some of sex, have the release's direction but are larger on
purpose: age is what a film shows least, and so what a reader of non-image features must be able to gain from.
"""

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from cxrbench.config import load_vocabulary

PATHOLOGIES = load_vocabulary("nih15").pathologies
NO_FINDING = "No Finding"
"""What the release writes where none is present."""

Floats = NDArray[np.float64]

MEAN_AGE_YEARS = 46.5
MAX_PREVALENCE = 0.6
"""However large the scale; a finding that all have cannot be learnt."""


@dataclass(frozen=True)
class Epidemiology:
    """One pathology in the population."""

    prevalence: float
    """Share of the release's images."""
    per_decade: float
    """Odds ratio of ten more years."""
    male: float
    """Odds ratio of men against women."""
    ap: float
    """Odds ratio of AP against PA films."""
    loadings: tuple[float, float, float]
    """Correlation with three hidden causes that make findings occur together: fluid, tumour or scar, air leak."""

    @property
    def log_odds_ratios(self) -> tuple[float, float, float]:
        """Of a decade, of male sex and of the AP view."""
        return log(self.per_decade), log(self.male), log(self.ap)


EPIDEMIOLOGY = {
    "Atelectasis": Epidemiology(0.1031, 1.60, 1.15, 1.65, (0.35, 0.05, 0.10)),
    "Cardiomegaly": Epidemiology(0.0248, 1.80, 0.55, 1.20, (0.30, -0.20, -0.15)),
    "Effusion": Epidemiology(0.1188, 1.60, 0.95, 1.65, (0.50, 0.25, 0.05)),
    "Infiltration": Epidemiology(0.1774, 0.65, 1.05, 1.90, (0.35, 0.10, 0.00)),
    "Mass": Epidemiology(0.0516, 1.85, 1.40, 0.90, (0.05, 0.55, 0.10)),
    "Nodule": Epidemiology(0.0565, 1.70, 1.10, 0.75, (0.00, 0.50, 0.00)),
    "Pneumonia": Epidemiology(0.0128, 0.55, 1.05, 1.90, (0.60, 0.00, -0.20)),
    "Pneumothorax": Epidemiology(0.0473, 0.55, 1.80, 0.85, (0.00, 0.20, 0.70)),
    "Consolidation": Epidemiology(0.0416, 0.60, 1.00, 3.30, (0.40, 0.25, -0.05)),
    "Edema": Epidemiology(0.0205, 1.70, 0.80, 11.5, (0.55, -0.15, -0.30)),
    "Emphysema": Epidemiology(0.0224, 1.90, 1.70, 1.05, (0.00, 0.05, 0.70)),
    "Fibrosis": Epidemiology(0.0150, 1.90, 0.90, 0.30, (0.00, 0.25, 0.05)),
    "Pleural_Thickening": Epidemiology(0.0302, 1.80, 1.50, 0.60, (0.15, 0.40, 0.15)),
    "Hernia": Epidemiology(0.0020, 2.20, 0.50, 0.32, (0.00, 0.10, 0.00)),
}

LOADINGS = np.array([EPIDEMIOLOGY[name].loadings for name in PATHOLOGIES])  # (14, 3)
LOG_ODDS_RATIOS = np.array([EPIDEMIOLOGY[name].log_odds_ratios for name in PATHOLOGIES])  # (14, 3)


def prevalences(scale: float) -> Floats:
    """(14,): share of the films with each pathology, before label noise."""
    return np.minimum([EPIDEMIOLOGY[name].prevalence * scale for name in PATHOLOGIES], MAX_PREVALENCE)


def intercepts(wanted: Floats, shifts: Floats) -> Floats:
    """(14,): log odds that give the wanted mean probabilities over a population.

    Args:
        wanted: (14,) prevalences.
        shifts: (n, 14) what each member's age, sex and view add to the log odds.
    """
    low, high = np.full(len(wanted), -30.0), np.full(len(wanted), 30.0)
    for _ in range(60):  # bisection: the prevalence grows with the intercept
        middle = (low + high) / 2
        is_high = expit(middle + shifts).mean(axis=0) > wanted
        low, high = np.where(is_high, low, middle), np.where(is_high, middle, high)
    return np.asarray((low + high) / 2)
