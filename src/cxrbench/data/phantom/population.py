"""Who is filmed, how, and with which findings: everything about a release but the pictures."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import log

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from cxrbench.data.phantom.epidemiology import (
    LOADINGS,
    LOG_ODDS_RATIOS,
    MEAN_AGE_YEARS,
    NO_FINDING,
    PATHOLOGIES,
    Floats,
    intercepts,
    prevalences,
)
from cxrbench.data.phantom.settings import PhantomSettings

Flags = NDArray[np.bool_]

MAX_FILMS = 20
FILMS_PER_PATIENT = np.arange(1, MAX_FILMS + 1) ** -1.8
FILMS_PER_PATIENT /= FILMS_PER_PATIENT.sum()

PERSISTENCE = 0.6
"""Share of a finding's hidden variance that a patient keeps from film to film."""
VISIBILITIES = (0.4, 1.0)
REFERENCE_SEED, REFERENCE_PATIENTS = 20170519, 4000


@dataclass(frozen=True)
class Sign:
    """A finding that is present, and how plainly the film shows it: 0 not at all, 1 unmistakably."""

    finding: str
    visibility: float


@dataclass(frozen=True)
class Film:
    """One film to be made: whose, how taken, what it shows and what the table will say."""

    patient: int
    follow_up: int
    age_years: int
    sex: str
    view: str
    signs: tuple[Sign, ...]
    labels: tuple[str, ...]
    """With label noise; "No Finding" alone where there is none."""
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
    is_ap: Flags  # (n,)

    @property
    def features(self) -> Floats:
        """(n, 3): decades from the mean age, male, AP."""
        male = np.full(len(self.age_years), float(self.is_male))
        return np.column_stack([(self.age_years - MEAN_AGE_YEARS) / 10, male, self.is_ap])


def draw_population(settings: PhantomSettings) -> Iterator[Film]:
    """Every film of the release, patient by patient."""
    for patient in range(1, settings.patients + 1):
        yield from draw_patient(patient, settings)


def draw_patient(patient: int, settings: PhantomSettings) -> list[Film]:
    """All films of one patient, from that patient's own random stream."""
    rng = np.random.default_rng([settings.seed, patient])
    visits = draw_visits(rng)
    priors = prior_probabilities(visits.features, settings.prevalence_scale, settings.context)
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


def draw_visits(rng: np.random.Generator) -> Visits:
    """Films per patient, sex, ages and views; the more films, the likelier they were taken in bed (AP)."""
    count = int(rng.choice(MAX_FILMS, p=FILMS_PER_PATIENT)) + 1
    first_age = int(np.clip(rng.normal(MEAN_AGE_YEARS, 16.5), 3, 92))
    years_since_last = rng.choice(4, size=count, p=[0.82, 0.13, 0.03, 0.02])
    years_since_last[0] = 0
    ages = np.minimum(first_age + np.cumsum(years_since_last), 95)
    is_ap = rng.random(count) < expit(-2.4 + 1.2 * log(count) + rng.normal(0, 1.5))
    return Visits(ages, bool(rng.random() < 0.54), is_ap)


def prior_probabilities(features: Floats, prevalence_scale: float, context: float) -> Floats:
    """(n, 14): probability of each pathology given age, sex and view alone; ``features`` as in :class:`Visits`."""
    start = np.array(_calibrated(prevalence_scale, context))
    probabilities: Floats = expit(start + context * features @ LOG_ODDS_RATIOS.T)
    return probabilities


def draw_present(priors: Floats, rng: np.random.Generator) -> Flags:
    """(n, 14): which pathologies a patient's films have.

    Each has exactly its prior probability; a Gaussian copula correlates them with one another and over time.
    """
    count, causes = len(priors), LOADINGS.shape[1]
    kept, new = np.sqrt(PERSISTENCE), np.sqrt(1 - PERSISTENCE)
    common = kept * rng.normal(size=causes) + new * rng.normal(size=(count, causes))
    own = kept * rng.normal(size=len(PATHOLOGIES)) + new * rng.normal(size=priors.shape)
    hidden = common @ LOADINGS.T + own * np.sqrt(1 - (LOADINGS**2).sum(axis=1))  # (n, 14), standard normal
    is_present: Flags = ndtr(-hidden) < priors
    return is_present


def draw_visibility(is_present: Flags, settings: PhantomSettings, rng: np.random.Generator) -> Floats:
    """(n, 14): how plainly each present finding shows; 0 for the share that leaves no sign."""
    plainness = rng.uniform(*VISIBILITIES, is_present.shape)
    is_seen = rng.random(is_present.shape) >= settings.invisible
    return np.where(is_present & is_seen, plainness, 0.0)


def draw_labels(is_present: Flags, settings: PhantomSettings, rng: np.random.Generator) -> Flags:
    """(n, 14): what the reports say.

    A share ``label_noise`` of the present findings is missed, and as many are claimed where there is none, so that
    the prevalence stays and the same share of the labels is false.
    """
    share = prevalences(settings.prevalence_scale)
    is_missed = rng.random(is_present.shape) < settings.label_noise
    is_claimed = rng.random(is_present.shape) < settings.label_noise * share / (1 - share)
    return np.where(is_present, ~is_missed, is_claimed)


@cache
def _calibrated(prevalence_scale: float, context: float) -> tuple[float, ...]:
    """Intercepts on a fixed reference population, so that a film's prior does not depend on the release's seed."""
    rng = np.random.default_rng(REFERENCE_SEED)
    features = np.concatenate([draw_visits(rng).features for _ in range(REFERENCE_PATIENTS)])
    return tuple(intercepts(prevalences(prevalence_scale), context * features @ LOG_ODDS_RATIOS.T).tolist())


def _signs(is_present: Flags, visibility: Floats) -> tuple[Sign, ...]:
    """The present findings of one film."""
    return tuple(Sign(PATHOLOGIES[at], float(visibility[at])) for at in np.flatnonzero(is_present))


def _names(is_labelled: Flags) -> tuple[str, ...]:
    """Labels of one film in NIH order."""
    return tuple(name for name, yes in zip(PATHOLOGIES, is_labelled, strict=True) if yes) or (NO_FINDING,)
