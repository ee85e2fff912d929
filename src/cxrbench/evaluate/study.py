"""From a study's predictions to its result tables."""

from itertools import groupby
from operator import attrgetter
from pathlib import Path

import polars as pl

from cxrbench import runs
from cxrbench.errors import StudyError
from cxrbench.evaluate import archive, comparison, curves, discrimination, ranking, training
from cxrbench.evaluate.groups import group_rows
from cxrbench.evaluate.reading import read_split_runs, read_splits, read_table
from cxrbench.evaluate.writing import replaced_folder
from cxrbench.progress import Track, silent
from cxrbench.runs import RunName
from cxrbench.splits import Split


def evaluate_study(study: Path, *, seed: int = 0, track: Track = silent) -> Path:
    """Write ``study/results/`` from predictions, splits and table alone; earlier results are replaced.

    Args:
        study: Folder of a study with at least one finished run.
        seed: Of whatever is drawn at random; equal seeds give equal tables.
        track: Shows progress, split by split.

    Returns:
        The folder of the result tables; docs/results.md describes their columns.

    Raises:
        StudyError: There is no finished run, or predictions do not belong to the study's splits and table.
    """
    del seed  # nothing is drawn yet
    names = runs.finished_runs(study)
    if not names:
        raise StudyError(f"{study / runs.RUNS_FOLDER} has no finished run; train one with `cxrbench run`")
    with replaced_folder(study / runs.RESULTS_FOLDER) as scratch:
        for name, result in _tables(study, names, track).items():
            _write(result, scratch / name)
    return study / runs.RESULTS_FOLDER


def _tables(study: Path, names: list[RunName], track: Track) -> dict[str, pl.DataFrame]:
    """Every result table by file name."""
    table = read_table(study)
    by_split = {name: list(of) for name, of in groupby(sorted(names, key=attrgetter("split")), attrgetter("split"))}
    splits = read_splits(study, by_split)
    measured = [
        _split_tables(study, table, splits[name], of)
        for name, of in track(by_split.items(), total=len(by_split), label="evaluating splits")
    ]
    auc, roc, ranks = (pl.concat(parts) for parts in zip(*measured, strict=True))
    histories = training.history_table(study, names)
    return {
        "auc.csv": auc,
        "auc_summary.csv": discrimination.auc_summary(auc),
        "roc.parquet": curves.mean_curves(roc),
        "comparison.csv": comparison.resampled_comparisons(auc, splits, sorted({run.approach for run in names})),
        "rank_correlation.csv": ranking.mean_ranks(ranks),
        "archive.csv": archive.archive_table(table),
        "ages.csv": archive.age_table(table),
        "splits.csv": archive.split_table(table, list(splits.values())),
        "runs.csv": training.run_table(study, names, histories),
        "history.csv": histories,
        "failures.csv": training.failure_table(study),
    }


def _split_tables(
    study: Path, table: pl.DataFrame, split: Split, names: list[RunName]
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """AUC, ROC curves and rank correlations of one split's runs; only their scores are in memory at a time."""
    truth, scores = read_split_runs(study, table, split, names)
    return (
        discrimination.auc_table(truth, scores, group_rows(truth.images)),
        curves.roc_table(truth, scores),
        ranking.rank_table(truth, scores),
    )


def _write(result: pl.DataFrame, path: Path) -> None:
    if path.suffix == ".parquet":
        result.write_parquet(path)
    else:
        result.write_csv(path)
