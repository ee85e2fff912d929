"""Everything that is measured of the runs of one split."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
import polars as pl
from scipy.special import expit

from cxrbench.evaluate import calibration, comparison, discrimination, ensembles, groups, probabilities, ranks
from cxrbench.evaluate.held_out import Scores, SplitRuns
from cxrbench.evaluate.replicates import Measures, averaged
from cxrbench.stats.bootstrap import Resamples

Tables = dict[str, pl.DataFrame]


@dataclass(frozen=True)
class Measured:
    """Measures of the runs of one split."""

    tables: Tables
    calibrations: dict[str, Any]
    """Folder of a run -> its calibrators, as JSON."""
    probabilities: Measures
    """Measures of the probabilities, mean over the seeds of each approach."""
    ranks: Measures
    """Rank correlations of pairs of approaches."""


def measure_split(
    own: SplitRuns,
    pairs: Sequence[tuple[str, str]],
    *,
    is_alone: bool,
    resamples: Resamples | None,
    pool: Executor,
) -> Measured:
    """Measure all runs of one split; only their scores are in memory at a time.

    Args:
        own: The runs and their truth.
        pairs: Groups between which gaps are measured.
        is_alone: Whether the split is the only one of its kind: then runs are compared on its test set.
        resamples: Draws of the test patients, for measures without a formula for their variance; None for none.
        pool: Threads that measure the runs; NumPy lets go of the interpreter while it sorts and adds.
    """
    masks = groups.group_rows(own.test.images)
    shared = Shared(own, masks, discrimination.count_table(own.test, masks), tuple(pairs), resamples)
    by_run = list(pool.map(partial(_measure_run, shared), own.scores))
    together = {
        "curves": discrimination.roc_table(own.test, own.scores),
        "paired": comparison.paired_comparisons(own.test, own.scores if is_alone else []),
        "ensembles": ensembles.ensemble_table(own.test, own.scores),
        **_over_seeds(shared, own.scores if is_alone else []),
    }
    separately = {key: pl.concat(one.tables[key] for one in by_run) for key in by_run[0].tables}
    calibrations = {
        f"{run.run.approach}/{run.run.split}/seed-{run.run.seed}": one.calibrators
        for run, one in zip(own.scores, by_run, strict=True)
    }
    return Measured(
        tables=separately | together,
        calibrations=calibrations,
        probabilities=averaged(one.probabilities for one in by_run),
        ranks=ranks.rank_measures(own.test, own.scores, resamples),
    )


@dataclass(frozen=True)
class Shared:
    """Values that the measures of all runs of a split share."""

    own: SplitRuns
    masks: Mapping[str, np.ndarray]
    counts: pl.DataFrame
    pairs: tuple[tuple[str, str], ...]
    resamples: Resamples | None


def _over_seeds(shared: Shared, scores: Sequence[Scores]) -> Tables:
    """Return AUCs and gaps of every approach, means over its seeds, with intervals; empty where each has one seed."""
    tables = {
        "auc_seeds": discrimination.AUC_SEEDS_TABLE.empty(),
        "gaps_seeds": groups.GAPS_SEEDS_TABLE.empty(),
    }
    if len({one.run.approach for one in scores}) == len(scores):
        return tables
    test, by_approach = shared.own.test, sorted(scores, key=lambda one: one.run)
    for approach, of_approach in groupby(by_approach, key=lambda one: one.run.approach):
        seeds = list(of_approach)
        aucs = discrimination.grouped_aucs(test, seeds, shared.masks)
        tables["auc_seeds"].extend(discrimination.auc_table(test, approach, aucs, shared.counts))
        tables["gaps_seeds"].extend(groups.gap_table(test, approach, aucs, shared.pairs))
    return tables


@dataclass(frozen=True)
class MeasuredRun:
    """Measures of one run."""

    tables: Tables
    calibrators: dict[str, Any]
    """As JSON."""
    probabilities: Measures


def _measure_run(shared: Shared, run: Scores) -> MeasuredRun:
    """Measure one run."""
    own = shared.own
    aucs = discrimination.grouped_aucs(own.test, [run], shared.masks)
    calibrations = calibration.fit_calibrations(own.validation, run.require_validation())
    chances = {
        calibration.AS_THEY_ARE: expit(run.logits),
        calibration.PLATT: calibration.calibrated(run.logits, own.test.findings, calibrations),
    }
    worth = probabilities.run_probabilities(own.test, run.run, chances, shared.resamples)
    tables = {
        "auc": discrimination.auc_table(own.test, run.run.approach, aucs, shared.counts),
        "gaps": groups.gap_table(own.test, run.run.approach, aucs, shared.pairs),
        "operation": calibration.operation_table(own.test, own.validation, run),
        **worth.tables,
    }
    return MeasuredRun(tables, calibrations.record(), worth.measures)
