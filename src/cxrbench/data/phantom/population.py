"""Who is filmed, how, and with which findings: the release's statistics, before any picture.

Prevalences, odds ratios of view and sex, persistence and co-occurrence follow the NIH release (computed from its
``Data_Entry_2017_v2020.csv``). Age is the exception: its odds ratios are larger than the release's, because age is
what a film shows least and what the approaches with non-image features must be able to gain from.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import log

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from cxrbench.data.phantom.settings import PhantomSettings
from cxrbench.findings import NO_FINDING, PATHOLOGIES

Floats = NDArray[np.float64]

MAX_FILMS = 20
MEAN_AGE_YEARS = 46.5
MAX_PREVALENCE = 0.6


@dataclass(frozen=True)
class Epidemiology:
    """How often a finding occurs, and what makes it likelier."""

    prevalence: float
    """Share of the release's images."""
    per_decade: float
    """Odds ratio of ten more years."""
    male: float
    """Odds ratio of men against women."""
    ap: float
    """Odds ratio of AP against PA films."""
    loadings: tuple[float, float, float]
    """Share in the three common causes that make findings occur together: fluid, tumour, airways."""

    @property
    def log_odds_ratios(self) -> tuple[float, float, float]:
        """Of a decade, of male sex and of the AP view."""
        return log(self.per_decade), log(self.male), log(self.ap)


EPIDEMIOLOGY = {
    "Atelectasis": Epidemiology(0.1031, 1.45, 1.15, 1.65, (0.35, 0.10, 0.10)),
    "Cardiomegaly": Epidemiology(0.0248, 1.50, 0.65, 1.20, (0.35, -0.10, -0.15)),
    "Effusion": Epidemiology(0.1188, 1.45, 0.95, 1.65, (0.55, 0.30, 0.05)),
    "Infiltration": Epidemiology(0.1774, 0.72, 1.05, 1.90, (0.35, 0.10, -0.05)),
    "Mass": Epidemiology(0.0516, 1.60, 1.25, 0.90, (0.05, 0.65, 0.10)),
    "Nodule": Epidemiology(0.0565, 1.45, 1.10, 0.75, (0.00, 0.55, 0.00)),
    "Pneumonia": Epidemiology(0.0128, 0.65, 1.05, 1.90, (0.60, -0.05, -0.20)),
    "Pneumothorax": Epidemiology(0.0473, 0.65, 1.30, 0.85, (0.00, 0.15, 0.65)),
    "Consolidation": Epidemiology(0.0416, 0.72, 1.00, 3.30, (0.40, 0.25, -0.05)),
    "Edema": Epidemiology(0.0205, 1.45, 0.80, 11.5, (0.65, -0.15, -0.30)),
    "Emphysema": Epidemiology(0.0224, 1.70, 1.50, 1.05, (0.00, 0.15, 0.65)),
    "Fibrosis": Epidemiology(0.0150, 1.70, 0.90, 0.30, (0.00, 0.35, 0.05)),
    "Pleural_Thickening": Epidemiology(0.0302, 1.60, 1.25, 0.60, (0.15, 0.50, 0.20)),
    "Hernia": Epidemiology(0.0020, 2.20, 0.50, 0.32, (0.00, 0.15, 0.00)),
}

PREVALENCES = np.array([EPIDEMIOLOGY[name].prevalence for name in PATHOLOGIES])  # (14,)
LOADINGS = np.array([EPIDEMIOLOGY[name].loadings for name in PATHOLOGIES])  # (14, 3)
LOG_ODDS_RATIOS = np.array([EPIDEMIOLOGY[name].log_odds_ratios for name in PATHOLOGIES])  # (14, 3)

PERSISTENCE = 0.6
"""Share of a finding's latent variance that a patient keeps from film to film."""

FILMS_PER_PATIENT = np.arange(1, MAX_FILMS + 1) ** -1.8
FILMS_PER_PATIENT /= FILMS_PER_PATIENT.sum()


@dataclass(frozen=True)
class Sign:
    """A finding that is present, and how plainly the film shows it: 0 not at all, 1 unmistakably."""

    finding: str
    visibility: float


@dataclass(frozen=True)
class Film:
    """One film to be made: whose, how taken, what it shows and what the report will say."""

    patient: int
    follow_up: int
    age_years: int
    sex: str
    view: str
    signs: tuple[Sign, ...]
    labels: tuple[str, ...]
    """What the table will say; label noise included."""
    priors: tuple[float, ...]
    """Probability of each pathology given age, sex and view, before anything is seen."""

    @property
    def image_id(self) -> str:
        """File name, as the release builds it."""
        return f"{self.patient:08d}_{self.follow_up:03d}.png"


@dataclass(frozen=True)
class Visits:
    """A patient's films without their findings."""

    age_years: NDArray[np.int64]  # (n,)
    is_male: bool
    is_ap: NDArray[np.bool_]  # (n,)

    @property
    def features(self) -> Floats:
        """(n, 3): decades from the mean age, male, AP."""
        male = np.full(len(self.age_years), float(self.is_male))
        return np.column_stack([(self.age_years - MEAN_AGE_YEARS) / 10, male, self.is_ap])


def draw_visits(rng: np.random.Generator) -> Visits:
    """Films per patient, sex, ages and views; the more films, the likelier they were taken in bed (AP)."""
    count = int(rng.choice(MAX_FILMS, p=FILMS_PER_PATIENT)) + 1
    first_age = int(np.clip(rng.normal(MEAN_AGE_YEARS, 16.5), 3, 92))
    years_since_last = rng.choice(4, size=count, p=[0.82, 0.13, 0.03, 0.02])
    years_since_last[0] = 0
    ages = np.minimum(first_age + np.cumsum(years_since_last), 95)
    is_ap = rng.random(count) < expit(-2.4 + 1.2 * log(count) + rng.normal(0, 1.5))
    return Visits(ages, bool(rng.random() < 0.54), is_ap)


@cache
def intercepts(prevalence_scale: float, context: float) -> tuple[float, ...]:
    """Log odds of each pathology at the mean age, for women and PA, that give the wanted prevalences overall.

    Solved on a fixed reference population, so that a film's probability does not depend on the seed.
    """
    rng = np.random.default_rng(20170519)
    features = np.concatenate([draw_visits(rng).features for _ in range(4000)])
    shifts = context * features @ LOG_ODDS_RATIOS.T  # (n, 14)
    wanted = np.minimum(PREVALENCES * prevalence_scale, MAX_PREVALENCE)
    low, high = np.full(len(PATHOLOGIES), -20.0), np.full(len(PATHOLOGIES), 20.0)
    for _ in range(50):  # bisection: the prevalence grows with the intercept
        middle = (low + high) / 2
        is_high = expit(middle + shifts).mean(axis=0) > wanted
        low, high = np.where(is_high, low, middle), np.where(is_high, middle, high)
    return tuple(low.tolist())


def prior_probabilities(features: Floats, settings: PhantomSettings) -> Floats:
    """(n, 14): probability of each pathology given age, sex and view alone; ``features`` as in :class:`Visits`."""
    start = np.array(intercepts(settings.prevalence_scale, settings.context))
    probabilities: Floats = expit(start + settings.context * features @ LOG_ODDS_RATIOS.T)
    return probabilities


def draw_present(priors: Floats, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(n, 14): which pathologies each film has; exactly ``priors`` on average, correlated by a Gaussian copula."""
    count, causes = len(priors), LOADINGS.shape[1]
    kept, new = np.sqrt(PERSISTENCE), np.sqrt(1 - PERSISTENCE)
    common = kept * rng.normal(size=causes) + new * rng.normal(size=(count, causes))
    own = kept * rng.normal(size=len(PATHOLOGIES)) + new * rng.normal(size=priors.shape)
    latent = common @ LOADINGS.T + own * np.sqrt(1 - (LOADINGS**2).sum(axis=1))
    is_present: NDArray[np.bool_] = ndtr(-latent) < priors
    return is_present


def draw_labels(
    is_present: NDArray[np.bool_], settings: PhantomSettings, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """(n, 14): what the reports say.

    A share ``label_noise`` of the present findings is missed, and as many are claimed where there is none, so that
    the prevalence stays and the same share of the labels is false.
    """
    prevalence = np.minimum(PREVALENCES * settings.prevalence_scale, MAX_PREVALENCE)
    claimed = rng.random(is_present.shape) < settings.label_noise * prevalence / (1 - prevalence)
    missed = rng.random(is_present.shape) < settings.label_noise
    return np.where(is_present, ~missed, claimed)


def draw_visibility(is_present: NDArray[np.bool_], settings: PhantomSettings, rng: np.random.Generator) -> Floats:
    """(n, 14): how plainly each present finding shows, 0.4 to 1, or 0 for the share that leaves no sign."""
    strength = rng.uniform(0.4, 1.0, is_present.shape)
    is_seen = rng.random(is_present.shape) >= settings.invisible
    return np.where(is_present & is_seen, strength, 0.0)


def draw_patient(patient: int, settings: PhantomSettings) -> list[Film]:
    """All films of one patient, from that patient's own random stream."""
    rng = np.random.default_rng([settings.seed, patient])
    visits = draw_visits(rng)
    priors = prior_probabilities(visits.features, settings)
    is_present = draw_present(priors, rng)
    visibility = draw_visibility(is_present, settings, rng)
    is_labelled = draw_labels(is_present, settings, rng)
    return [
        Film(
            patient=patient,
            follow_up=number,
            age_years=int(visits.age_years[number]),
            sex="M" if visits.is_male else "F",
            view="AP" if visits.is_ap[number] else "PA",
            signs=_signs(is_present[number], visibility[number]),
            labels=_names(is_labelled[number]),
            priors=tuple(priors[number].tolist()),
        )
        for number in range(len(priors))
    ]


def draw_population(settings: PhantomSettings) -> Iterator[Film]:
    """Every film of the release, patient by patient."""
    for patient in range(1, settings.patients + 1):
        yield from draw_patient(patient, settings)


def _signs(is_present: NDArray[np.bool_], visibility: Floats) -> tuple[Sign, ...]:
    """The present findings of one film."""
    return tuple(Sign(PATHOLOGIES[at], float(visibility[at])) for at in np.flatnonzero(is_present))


def _names(is_labelled: NDArray[np.bool_]) -> tuple[str, ...]:
    """Labels of one film in NIH order; "No Finding" alone when there is none."""
    return tuple(name for name, yes in zip(PATHOLOGIES, is_labelled, strict=True) if yes) or (NO_FINDING,)
