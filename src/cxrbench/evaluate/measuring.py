"""Everything that is measured of the runs of one split."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from scipy.special import expit

from cxrbench.evaluate import comparison, curves, discrimination, ensembles, gaps, operation, probabilities, ranking
from cxrbench.evaluate.calibrations import AS_THEY_ARE, PLATT, calibrated, fit_calibrations
from cxrbench.evaluate.groups import group_rows
from cxrbench.evaluate.reading import Scores, SplitRuns
from cxrbench.stats.bootstrap import Resamples, resample_patients

Tables = dict[str, pl.DataFrame]


@dataclass(frozen=True)
class Measured:
    """What the runs of one split show."""

    tables: Tables
    calibrations: dict[str, Any]
    """Folder of a run -> its calibrators, as JSON."""


def measure_split(
    own: SplitRuns,
    pairs: Sequence[tuple[str, str]],
    *,
    is_alone: bool,
    replicates: int,
    seed: int,
    pool: Executor,
) -> Measured:
    """Measure all runs of one split; only their scores are in memory at a time.

    Args:
        own: The runs and their truth.
        pairs: Groups between which gaps are measured.
        is_alone: Whether the split is the only one of its kind: then runs are compared on its test set, and measures
            of probabilities have intervals for new patients.
        replicates: Of the patient bootstrap.
        seed: Of the patient bootstrap.
        pool: Threads that measure the runs; NumPy lets go of the interpreter while it sorts and adds.
    """
    resamples = resample_patients(own.test.codes, replicates=replicates, seed=seed) if is_alone and replicates else None
    masks = group_rows(own.test.images)
    shared = Shared(own, masks, discrimination.count_table(own.test, masks), tuple(pairs), resamples)
    by_run = list(pool.map(partial(_measure_run, shared), own.scores))
    together = {
        "curves": curves.roc_table(own.test, own.scores),
        "ranks": ranking.rank_table(own.test, own.scores),
        "paired": comparison.paired_comparisons(own.test, own.scores if is_alone else []),
        "ensembles": ensembles.ensemble_table(own.test, own.scores),
    }
    separately = {key: pl.concat(tables[key] for tables, _ in by_run) for key in by_run[0][0]}
    calibrations = {
        f"{run.run.approach}/{run.run.split}/seed-{run.run.seed}": record
        for run, (_, record) in zip(own.scores, by_run, strict=True)
    }
    return Measured(separately | together, calibrations)


@dataclass(frozen=True)
class Shared:
    """What the measures of all runs of a split share."""

    own: SplitRuns
    masks: Mapping[str, np.ndarray]
    counts: pl.DataFrame
    pairs: tuple[tuple[str, str], ...]
    resamples: Resamples | None


def _measure_run(shared: Shared, run: Scores) -> tuple[Tables, dict[str, Any]]:
    """One run's tables, and its calibrators as JSON."""
    own = shared.own
    if run.validation is None:
        raise ValueError(f"{run.run} has no validation scores")
    aucs = discrimination.grouped_aucs(own.test, run, shared.masks)
    calibrations = fit_calibrations(own.validation, run.validation)
    chances = {
        AS_THEY_ARE: expit(run.logits),
        PLATT: calibrated(run.logits, own.test.findings, calibrations),
    }
    tables = {
        "auc": discrimination.auc_table(own.test, run, aucs, shared.counts),
        "gaps": gaps.gap_table(own.test, run, aucs, shared.pairs),
        "operation": operation.operation_table(own.test, own.validation, run),
        **probabilities.probability_tables(own.test, run.run, chances, shared.resamples),
    }
    return tables, calibrations.record()
