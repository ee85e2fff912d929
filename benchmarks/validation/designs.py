"""Hospitals on which measures of probabilities are judged, and the measures' true values there.

Given the truth, a score is normal with unit variance whoever the patient is, so that every true value is an integral;
what the images of a patient share does not change it. Only the rank correlation of two models is taken from a large
sample.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit, ndtr
from scipy.stats import norm

from cxrbench.stats.influence import Sample
from cxrbench.stats.ranking import spearman
from validation.population import Population
from validation.scores import SETTINGS, Effects, draw_scores

PART = "official test"
THRESHOLDS = (0.05, 0.108, 0.3)
"""Probabilities at which one acts."""
REGION = 0.2
"""Highest false positive rate of the partial AUC."""
DISTANCE = 1.2
"""Between the classes, in standard deviations: an AUC of 0.80."""
TRUTH_PATIENTS = 100_000
"""Sample behind the true rank correlation; its error is a twenty-fourth of the interval at 2,797 patients."""
GRID = np.linspace(-9, 9 + DISTANCE, 400_001)


@dataclass(frozen=True)
class Design:
    """Test sets of one kind.

    Attributes:
        patients: In each.
        finding: Whose prevalence and clusters are taken.
        effects: What the images of a patient have in common.
        is_overconfident: Logits are twice what they should be.
    """

    patients: int
    finding: str
    effects: Effects
    is_overconfident: bool

    @property
    def name(self) -> str:
        """For files and tables."""
        confidence = "over-confident" if self.is_overconfident else "calibrated"
        return f"{self.patients} patients, {self.finding}, {self.effects.name}, {confidence}"

    @cached_property
    def population(self) -> Population:
        """Patients of the release."""
        return Population.read(PART)

    @cached_property
    def prevalence(self) -> float:
        """Share of all images of the population with the finding."""
        of = self.population
        column = of.patients[:, of.findings.index(self.finding)]
        return float((column * of.positives).sum() / (column * of.images).sum())

    def probability(self, score: np.ndarray) -> np.ndarray:
        """What a model says for a score."""
        logits = logit(self.prevalence) + DISTANCE * score - DISTANCE**2 / 2
        return np.asarray(expit(logits * (2 if self.is_overconfident else 1)))

    def draw(self, rng: np.random.Generator, *, patients: int | None = None) -> tuple[Sample, Sample]:
        """Two equally good models on one test set; a class may be absent."""
        of = self.population
        drawn = of.draw(rng, patients or self.patients)
        drawn = replace(drawn, positives=drawn.positives[:, [of.findings.index(self.finding)]])
        code, labels = drawn.rows(rng)
        scores = draw_scores(
            rng, code, labels, size=of.standard_size(drawn.images), effects=self.effects, distance=np.array([DISTANCE])
        )
        present = labels[:, 0].astype(bool)
        return tuple(Sample(self.probability(one.astype(np.float64)), present, code) for one in scores.T)

    @cached_property
    def truth(self) -> dict[str, float]:
        """True value of every measure."""
        p, pi = self.probability(GRID), self.prevalence
        of_positive, of_negative = norm.pdf(GRID - DISTANCE), norm.pdf(GRID)
        found, alarm = norm.sf(GRID - DISTANCE), norm.sf(GRID)
        brier = np.trapezoid(pi * (1 - p) ** 2 * of_positive + (1 - pi) * p**2 * of_negative, GRID)
        density = pi * of_positive + (1 - pi) * of_negative
        inside = alarm <= REGION
        area = np.trapezoid(found[inside] * of_negative[inside], GRID[inside])
        least, most = REGION**2 / 2, REGION
        values = {
            "auc": float(ndtr(DISTANCE / np.sqrt(2))),
            "partial_auc": 0.5 + (area - least) / (2 * (most - least)),
            "average_precision": float(
                np.trapezoid(pi * found / np.maximum(pi * found + (1 - pi) * alarm, 1e-300) * of_positive, GRID)
            ),
            "brier_skill": 1 - brier / (pi * (1 - pi)),
            "slope": 0.5 if self.is_overconfident else 1.0,
            "intercept": brentq(lambda a: np.trapezoid(expit(logit(p) + a) * density, GRID) - pi, -9, 9),
            "spearman": self._correlation(),
        }
        return values | {key: value for cut in THRESHOLDS for key, value in self._at(cut).items()}

    def _at(self, cut: float) -> dict[str, float]:
        """True operating point and net benefit at a threshold."""
        logits = logit(cut) / (2 if self.is_overconfident else 1)
        score = (logits - logit(self.prevalence) + DISTANCE**2 / 2) / DISTANCE
        found, alarm, pi, odds = norm.sf(score - DISTANCE), norm.sf(score), self.prevalence, cut / (1 - cut)
        benefit = pi * found - odds * (1 - pi) * alarm
        values = {
            "net_benefit": benefit,
            "standardised_net_benefit": benefit / pi,
            "sensitivity": found,
            "specificity": 1 - alarm,
            "ppv": pi * found / (pi * found + (1 - pi) * alarm),
            "npv": (1 - pi) * (1 - alarm) / ((1 - pi) * (1 - alarm) + pi * (1 - found)),
            "lr_positive": found / alarm,
            "lr_negative": (1 - found) / (1 - alarm),
        }
        return {f"{name} at {cut}": float(value) for name, value in values.items()}

    def _correlation(self) -> float:
        """Rank correlation of the two models on a large sample."""
        one, other = self.draw(np.random.default_rng(2**32), patients=TRUTH_PATIENTS)
        return spearman(one.scores, other.scores)


def designs(*, quick: bool = False) -> list[Design]:
    """Sizes x effects x findings x calibration: 24, or one of the smallest."""
    effects = (SETTINGS[0], SETTINGS[2])
    sizes, findings = ((300,), ("Effusion",)) if quick else ((300, 1500, 2797), ("Effusion", "Pneumonia"))
    kinds = product(sizes, findings, effects[:1] if quick else effects, (False,) if quick else (False, True))
    return [Design(*kind) for kind in kinds]
