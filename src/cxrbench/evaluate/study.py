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
from cxrbench.evaluate import archive, comparison, curves, discrimination, probabilities, ranking, standing, training
from cxrbench.evaluate.gaps import group_pairs
from cxrbench.evaluate.measuring import Measured, measure_split
from cxrbench.evaluate.reading import (
    left_out_table,
    read_split_runs,
    read_splits,
    read_table,
    require_one_study,
    study_vocabulary,
)
from cxrbench.evaluate.replicates import averaged
from cxrbench.evaluate.writing import replaced_folder
from cxrbench.progress import Track, silent
from cxrbench.runs import RunName
from cxrbench.splits import Split
from cxrbench.stats.bootstrap import resample_patients

REPLICATES = 1000
"""Of the patient bootstrap."""
AT_A_TIME = 2
"""Splits, and runs, that are measured at a time; each run needs about 0.3 GiB for 25,000 images."""


def evaluate_study(study: Path, *, seed: int = 0, replicates: int = REPLICATES, track: Track = silent) -> Path:
    """Write ``study/results/`` from predictions, splits and table alone; earlier results are replaced.

    Args:
        study: Folder of a study with at least one finished run.
        seed: Of the patient bootstrap; equal seeds give equal tables.
        replicates: Of the patient bootstrap, for measures without a formula for their variance; 0 for no intervals
            of these.
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
    patients = (table["patient_id"].rank("dense") - 1).to_numpy()  # numbered as sorted, which is what is drawn

    def measure(name: str, pool: Executor) -> Measured:
        """All runs of one split."""
        own = read_split_runs(study, table, splits[name], by_split[name])
        is_alone = kinds[splits[name].kind] == 1
        rows = np.flatnonzero(table["image_id"].is_in(own.test.images["image_id"].implode()).to_numpy())
        resamples = resample_patients(patients, replicates=replicates, seed=seed, rows=rows) if replicates else None
        return measure_split(own, pairs, is_alone=is_alone, resamples=resamples, pool=pool)

    with replaced_folder(study / runs.RESULTS_FOLDER) as scratch:
        measured = list(track(_side_by_side(measure, by_split), total=len(by_split), label="evaluating splits"))
        pathologies = study_vocabulary(study, table).pathologies
        whole = _measured_tables(measured, splits, pathologies) | _told_tables(study, table, splits, names)
        for name, result in whole.items():
            _write(result, scratch / name)
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
    """Tables of what was measured, by file name."""
    whole = {key: pl.concat(one.tables[key] for one in measured) for key in measured[0].tables}
    kinds = Counter(split.kind for split in splits.values())
    summary = probabilities.summary_tables(averaged(one.probabilities for one in measured))
    several = whole["auc"].filter(pl.col("kind").is_in([kind for kind, number in kinds.items() if number > 1]))
    return {
        "auc.csv": whole["auc"],
        "auc_summary.csv": discrimination.auc_summary(whole["auc"]),
        "auc_seeds.csv": whole["auc_seeds"],
        "gaps.csv": whole["gaps"],
        "gaps_seeds.csv": whole["gaps_seeds"],
        "roc.parquet": curves.mean_curves(whole["curves"]),
        "comparison.csv": pl.concat([comparison.resampled_comparisons(several, splits), whole["paired"]]),
        "standing.csv": standing.standing_table(whole["auc"], pathologies),
        "rank_correlation.csv": ranking.rank_table([one.ranks for one in measured]),
        "ensembles.csv": whole["ensembles"],
        "probabilities.csv": whole["probabilities"],
        "operation.csv": whole["operation"],
        "reliability.parquet": whole["reliability"],
        "probability_summary.csv": summary["probability_summary"],
        "net_benefit.parquet": summary["net_benefit"],
    }


def _told_tables(
    study: Path, table: pl.DataFrame, splits: Mapping[str, Split], names: Sequence[RunName]
) -> dict[str, pl.DataFrame]:
    """Tables of what went in, by file name."""
    histories = training.history_table(study, names)
    return {
        "archive.csv": archive.archive_table(table),
        "ages.csv": archive.age_table(table),
        "splits.csv": archive.split_table(table, list(splits.values())),
        "runs.csv": training.run_table(study, names, histories),
        "pretraining.csv": training.pretraining_table(study, names),
        "history.csv": histories,
        "failures.csv": training.failure_table(study),
        "left_out.csv": left_out_table(study),
    }


def _write(result: pl.DataFrame, path: Path) -> None:
    if path.suffix == ".parquet":
        result.write_parquet(path)
    else:
        result.write_csv(path)
