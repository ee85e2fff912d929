"""From a study's predictions to its result tables."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import groupby, repeat
from operator import attrgetter
from pathlib import Path

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from cxrbench import files, runs
from cxrbench.errors import StudyError
from cxrbench.evaluate import comparison, discrimination, inventory, probabilities, ranks, seen_films
from cxrbench.evaluate.groups import group_pairs
from cxrbench.evaluate.held_out import patient_numbers
from cxrbench.evaluate.measurement import Measured, measure_split
from cxrbench.evaluate.reading import (
    read_split_runs,
    read_splits,
    read_table,
    require_one_study,
    study_vocabulary,
)
from cxrbench.evaluate.replicates import averaged
from cxrbench.evaluate.tables import RESULT_TABLES
from cxrbench.progress import Track, silent
from cxrbench.runs import RunName
from cxrbench.splits import Split
from cxrbench.stats.bootstrap import resample_patients

REPLICATES = 1000
"""Replicates of the patient bootstrap."""
AT_A_TIME = 2
"""Splits, and runs, that are measured at a time; each run needs about 0.3 GiB for 25,000 images."""


def evaluate_study(study: Path, *, seed: int = 0, replicates: int = REPLICATES, track: Track = silent) -> Path:
    """Write ``study/results/`` from predictions, splits and table alone; earlier results are replaced.

    Args:
        study: Folder of a study with at least one finished run.
        seed: Seed of the patient bootstrap; equal seeds give equal tables.
        replicates: Replicates of the patient bootstrap, for measures without a formula for their variance; 0 for no
            intervals of these.
        track: Shows progress, split by split.

    Returns:
        The folder of the result tables; docs/results.md describes their columns.

    Raises:
        StudyError: There is no finished run, runs are not of one study, or predictions do not belong to its splits
            and table.
    """
    names = runs.finished_runs(study)
    if not names:
        raise StudyError(f"{study / runs.RUNS_FOLDER} has no finished run; train one with `cxrbench run`")
    require_one_study(study, names)
    table = read_table(study)
    by_split = {name: list(of) for name, of in groupby(sorted(names, key=attrgetter("split")), attrgetter("split"))}
    splits = read_splits(study, by_split)
    kinds, pairs = Counter(split.kind for split in splits.values()), group_pairs(table)
    patients = patient_numbers(table)

    def measure(name: str, pool: Executor) -> Measured:
        """Measure all runs of one split."""
        own = read_split_runs(study, table, splits[name], by_split[name])
        is_alone = kinds[splits[name].kind] == 1
        rows = np.flatnonzero(table["image_id"].is_in(own.test.images["image_id"].implode()).to_numpy())
        resamples = resample_patients(patients, replicates=replicates, seed=seed, rows=rows) if replicates else None
        return measure_split(own, pairs, is_alone=is_alone, resamples=resamples, pool=pool)

    seen = seen_films.seen_films(study, names, splits.values())

    with files.replaced_folder(study / runs.RESULTS_FOLDER) as scratch:
        measured = list(track(_side_by_side(measure, by_split), total=len(by_split), label="evaluating splits"))
        pathologies = study_vocabulary(study, table).pathologies
        whole = _measured_tables(measured, splits, pathologies) | _told_tables(study, table, splits, names)
        for name, result in whole.items():
            RESULT_TABLES[name].write(scratch, seen.mark(result))
        calibrations = {run: record for one in measured for run, record in one.calibrations.items()}
        files.write_json(scratch / "calibration.json", calibrations)
    return study / runs.RESULTS_FOLDER


def _side_by_side(measure: Callable[[str, Executor], Measured], names: Iterable[str]) -> Iterator[Measured]:
    """Measure splits two at a time: while one is read and its runs are compared, the runs of the other are measured.

    One thread each for matrix products: more would only fight for the cores, and sums would depend on their number.
    """
    with threadpool_limits(1), ThreadPoolExecutor(AT_A_TIME) as by_run, ThreadPoolExecutor(AT_A_TIME) as by_split:
        yield from by_split.map(measure, names, repeat(by_run))


def _measured_tables(
    measured: Sequence[Measured], splits: Mapping[str, Split], pathologies: Sequence[str]
) -> dict[str, pl.DataFrame]:
    """Return the tables of what was measured, by name."""
    whole = {key: pl.concat(one.tables[key] for one in measured) for key in measured[0].tables}
    kinds = Counter(split.kind for split in splits.values())
    summary = probabilities.summary_tables(averaged(one.probabilities for one in measured))
    several = whole["auc"].filter(pl.col("kind").is_in([kind for kind, number in kinds.items() if number > 1]))
    return {
        "auc": whole["auc"],
        "auc_summary": discrimination.auc_summary(whole["auc"]),
        "auc_seeds": whole["auc_seeds"],
        "gaps": whole["gaps"],
        "gaps_seeds": whole["gaps_seeds"],
        "roc": discrimination.mean_curves(whole["curves"]),
        "comparison": pl.concat([comparison.resampled_comparisons(several, splits), whole["paired"]]),
        "standing": ranks.standing_table(whole["auc"], pathologies),
        "rank_correlation": ranks.rank_table([one.ranks for one in measured]),
        "ensembles": whole["ensembles"],
        "probabilities": whole["probabilities"],
        "operation": whole["operation"],
        "reliability": whole["reliability"],
        "probability_summary": summary["probability_summary"],
        "net_benefit": summary["net_benefit"],
    }


def _told_tables(
    study: Path, table: pl.DataFrame, splits: Mapping[str, Split], names: Sequence[RunName]
) -> dict[str, pl.DataFrame]:
    """Return the tables of what went in, by name."""
    histories = inventory.history_table(study, names)
    return {
        "archive": inventory.archive_table(table),
        "ages": inventory.age_table(table),
        "splits": inventory.split_table(table, list(splits.values())),
        "runs": inventory.run_table(study, names, histories),
        "pretraining": seen_films.pretraining_table(study, names),
        "history": histories,
        "failures": inventory.failure_table(study),
        "left_out": inventory.left_out_table(study),
    }
