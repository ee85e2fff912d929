"""Intervals and tests on simulated test sets: coverage and type-I error, by patient and by image."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cxrbench.stats.clustered import auc_difference, auc_estimate
from cxrbench.stats.joint import JointAucs, joint_aucs
from cxrbench.stats.multiplicity import holm
from validation.cells import FAMILY_ERROR, GAP_COVERAGE, MEAN_COVERAGE, PAIRED_ERROR, Cell, coverage_target, rate
from validation.population import Population
from validation.scores import AUCS, Effects, draw_scores, separation, true_aucs

PATHOLOGIES = list(range(14))
CLUSTERED, IMAGE_LEVEL = "clustered by patient", "image-level DeLong"
LEVEL, Z = 0.05, 1.959963984540054
EASIER = 0.15
"""By how much the classes lie further apart in the first view, in standard deviations."""
DRAWN = 1.125
"""Test sets drawn per replicate wanted: a cell is reported when at least ``MIN_OFFERED`` of them have an interval."""
MIN_OFFERED = 0.9
"""Where fewer test sets have the patients for an interval, those that have them are not typical: no cell."""


@dataclass(frozen=True)
class Setting:
    """Test sets of one kind: whose patients, how many, and how scores vary."""

    part: str
    patients: int
    effects: Effects


@dataclass(frozen=True)
class Outcome:
    """What happened to one question in one replicate; NaN where a method gave no result."""

    question: str
    finding: str
    positive_patients: int
    clustered: float
    image_level: float


def model_cells(setting: Setting, *, replicates: int, seed: int) -> list[Cell]:
    """Coverage of AUCs and of the mean AUC, and type-I error of comparing two equally good models."""
    population = Population.read(setting.part)
    truth = true_aucs(population, setting.effects, separation(np.array(AUCS)))
    outcomes = []
    for rng in generators(seed, round(DRAWN * replicates)):
        joint = _two_models(setting, population, rng)
        outcomes.append(_coverages(joint, population.findings, truth) + _comparisons(joint, population.findings))
    return _cells(setting, outcomes)


def gap_cells(setting: Setting, *, replicates: int, seed: int) -> list[Cell]:
    """Coverage of the gap between two view positions, in which most patients have images of both."""
    population = Population.read(setting.part)
    distance = separation(np.array(AUCS))
    truth = true_aucs(population, setting.effects, distance + EASIER) - true_aucs(population, setting.effects, distance)
    outcomes = []
    for rng in generators(seed, round(DRAWN * replicates)):
        joint = _two_views(setting, population, rng)
        outcomes.append([_gap(joint, k, finding, truth[k]) for k, finding in enumerate(population.findings)])
    return _cells(setting, outcomes)


def generators(seed: int, replicates: int) -> Iterator[np.random.Generator]:
    """One source of randomness per replicate."""
    return map(np.random.default_rng, np.random.SeedSequence(seed).spawn(replicates))


def _two_models(setting: Setting, population: Population, rng: np.random.Generator) -> JointAucs:
    """AUCs of two equally good models on a new test set."""
    patients = population.draw(rng, setting.patients)
    code, labels = patients.rows(rng)
    size, distance = population.standard_size(patients.images), separation(np.array(AUCS))
    scores = draw_scores(rng, code, labels, size=size, effects=setting.effects, distance=distance)
    return joint_aucs(scores, labels, code)


def _two_views(setting: Setting, population: Population, rng: np.random.Generator) -> JointAucs:
    """AUCs of one model on the images of the first (easier) and of the second view of a new test set."""
    patients = population.draw(rng, setting.patients)
    code, labels = patients.rows(rng)
    is_first = rng.random(len(code)) < rng.beta(1, 1, setting.patients)[code]
    distance = separation(np.array(AUCS)) + EASIER * is_first[:, None]
    size = population.standard_size(patients.images)
    scores = draw_scores(rng, code, labels, size=size, effects=setting.effects, distance=distance, models=1)
    by_view = [np.where(view[:, None], labels, np.nan) for view in (is_first, ~is_first)]
    return joint_aucs(np.hstack([scores, scores]), np.hstack(by_view), code)


def _coverages(joint: JointAucs, findings: Sequence[str], truth: np.ndarray) -> list[Outcome]:
    """Whether the intervals of the first model, and of its mean AUC, hold the truth."""
    single = [_coverage(joint, "AUC", finding, [k], truth) for k, finding in enumerate(findings)]
    return [*single, _coverage(joint, "mean AUC", "14 pathologies", PATHOLOGIES, truth)]


def _coverage(joint: JointAucs, question: str, finding: str, columns: list[int], truth: np.ndarray) -> Outcome:
    """One interval by patient, and one that takes images as independent."""
    result, target = auc_estimate(joint, columns), float(truth[columns].mean())
    image_error = np.sqrt(joint.image[np.ix_(columns, columns)].sum()) / len(columns)
    return Outcome(
        question,
        finding,
        result.positive_patients,
        np.nan if result.reason else float(result.lower <= target <= result.upper),
        np.nan if result.reason else float(abs(result.estimate - target) <= Z * image_error),
    )


def _comparisons(joint: JointAucs, findings: Sequence[str]) -> list[Outcome]:
    """Whether two equally good models are told apart: per finding, on average, and anywhere after Holm."""
    n = len(findings)
    single = [
        _comparison(joint, "difference of two models", finding, [k], [n + k])[0] for k, finding in enumerate(findings)
    ]
    p_values = [_comparison(joint, "", "", [k], [n + k])[1] for k in PATHOLOGIES]
    mean = _comparison(joint, "difference of mean AUC", "14 pathologies", PATHOLOGIES, [n + k for k in PATHOLOGIES])[0]
    adjusted = holm(p_values)
    anywhere = np.nan if np.isnan(adjusted).any() else float(adjusted.min() < LEVEL)
    return [*single, mean, Outcome("any difference, Holm", "14 pathologies", mean.positive_patients, anywhere, np.nan)]


def _comparison(
    joint: JointAucs, question: str, finding: str, first: list[int], second: list[int]
) -> tuple[Outcome, float]:
    """One test by patient, and one that takes images as independent; with the p-value of the former."""
    result = auc_difference(joint, first, second)
    rejected = (
        np.nan if result.reason else float(result.p_value < LEVEL),
        np.nan if result.reason else float(abs(result.estimate) > Z * _image_error(joint, first, second)),
    )
    return Outcome(question, finding, result.positive_patients, *rejected), result.p_value


def _gap(joint: JointAucs, k: int, finding: str, truth: float) -> Outcome:
    """Whether the interval of a finding's gap between the views holds the truth."""
    other = k + len(joint.label) // 2
    result = auc_difference(joint, k, other)
    return Outcome(
        "gap between two views",
        finding,
        result.positive_patients,
        np.nan if result.reason else float(result.lower <= truth <= result.upper),
        np.nan if result.reason else float(abs(result.estimate - truth) <= Z * _image_error(joint, [k], [other])),
    )


def _image_error(joint: JointAucs, first: list[int], second: list[int]) -> float:
    """Standard error of a difference of means as if images were independent."""
    columns, signs = [*first, *second], np.repeat([1, -1], len(first)) / len(first)
    return float(np.sqrt(signs @ joint.image[np.ix_(columns, columns)] @ signs))


def _cells(setting: Setting, replicates: Sequence[Sequence[Outcome]]) -> list[Cell]:
    """Rates over the replicates, of the clustered method and of its control."""
    cells = []
    for same in zip(*replicates, strict=True):
        question, finding = same[0].question, same[0].finding
        offered = [outcome for outcome in same if not np.isnan(outcome.clustered)]
        # Where most test sets lack the five positive patients for an interval, those that have them are not typical.
        if len(offered) < MIN_OFFERED * len(same):
            continue
        patients = float(np.mean([outcome.positive_patients for outcome in offered]))
        head = (f"{setting.part}: {setting.effects.name}", setting.patients, question)
        target = _target(question, patients)
        for method, name in ((CLUSTERED, "clustered"), (IMAGE_LEVEL, "image_level")):
            share, n = rate([getattr(outcome, name) for outcome in offered])
            if n:
                cells.append(Cell(*head, method, method == IMAGE_LEVEL, finding, patients, n, share, target))
    return cells


def _target(question: str, positive_patients: float) -> tuple[float, float]:
    """What the clustered method must reach."""
    fixed = {
        "mean AUC": MEAN_COVERAGE,
        "gap between two views": GAP_COVERAGE,
        "difference of two models": PAIRED_ERROR,
        "difference of mean AUC": PAIRED_ERROR,
        "any difference, Holm": FAMILY_ERROR,
    }
    return fixed.get(question) or coverage_target(positive_patients)
