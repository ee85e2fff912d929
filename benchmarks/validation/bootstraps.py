"""Percentile intervals from the bootstrap: by patient, and by image as a control that must fail."""

import numpy as np

from cxrbench.stats.bootstrap import percentile_interval, resample_patients
from cxrbench.stats.resampled_auc import auc_replicates
from validation.cells import Cell, coverage_target, rate
from validation.population import Population
from validation.scores import AUCS, draw_scores, separation, true_aucs
from validation.test_sets import Setting, generators

FINDINGS = ("Pneumothorax", "Effusion")
DRAWS = 400


def bootstrap_cells(setting: Setting, *, replicates: int, seed: int) -> list[Cell]:
    """Coverage of the percentile interval of an AUC when patients, and when images, are drawn."""
    population = Population.read(setting.part)
    columns = [population.findings.index(name) for name in FINDINGS]
    distance = separation(np.array(AUCS))
    truth = true_aucs(population, setting.effects, distance)[columns]
    held, patients = [], []
    for rng in generators(seed, replicates):
        drawn = population.draw(rng, setting.patients)
        code, labels = drawn.rows(rng)
        size = population.standard_size(drawn.images)
        scores = draw_scores(rng, code, labels, size=size, effects=setting.effects, distance=distance, models=1)
        seed_of_draws = int(rng.integers(2**31))
        held.append([
            _holds(scores[:, columns], labels[:, columns], unit, truth, seed_of_draws)
            for unit in (code, np.arange(len(code)))
        ])  # fmt: skip
        patients.append((drawn.positives[:, columns] > 0).sum(axis=0))
    return [
        _cell(setting, name, np.mean(patients, axis=0)[k], np.array(held)[:, method, k], is_control=bool(method))
        for k, name in enumerate(FINDINGS)
        for method in (0, 1)
    ]


def _holds(scores: np.ndarray, labels: np.ndarray, unit: np.ndarray, truth: np.ndarray, seed: int) -> np.ndarray:
    """Whether each finding's interval holds its true AUC."""
    lower, upper = percentile_interval(
        auc_replicates(scores, labels, resample_patients(unit, replicates=DRAWS, seed=seed))
    )
    return (lower <= truth) & (truth <= upper)


def _cell(setting: Setting, finding: str, patients: float, held: np.ndarray, *, is_control: bool) -> Cell:
    share, n = rate(held)
    return Cell(
        setting=f"{setting.part}: {setting.effects.name}",
        patients=setting.patients,
        question="AUC",
        method=f"{'image' if is_control else 'patient'} bootstrap",
        is_control=is_control,
        finding=finding,
        positive_patients=float(patients),
        replicates=n,
        rate=share,
        target=coverage_target(patients),
    )
