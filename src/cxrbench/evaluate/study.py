"""From a study's predictions to its result tables."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import polars as pl

from cxrbench import runs
from cxrbench.errors import StudyError
from cxrbench.evaluate import archive, comparison, curves, discrimination, gaps, ranking, standing, training
from cxrbench.evaluate.gaps import group_pairs
from cxrbench.evaluate.groups import group_rows
from cxrbench.evaluate.reading import HeldOut, Scores, read_split_runs, read_splits, read_table
from cxrbench.evaluate.writing import replaced_folder
from cxrbench.progress import Track, silent
from cxrbench.runs import RunName

CORES = 2
"""Runs that are measured at a time; each needs about 0.3 GiB for 25,000 images."""


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
    kinds = Counter(split.kind for split in splits.values())
    pairs = group_pairs(table)
    measured = [
        _split_tables(*read_split_runs(study, table, splits[name], of), pairs, is_alone=kinds[splits[name].kind] == 1)
        for name, of in track(by_split.items(), total=len(by_split), label="evaluating splits")
    ]
    whole = {key: pl.concat(part[key] for part in measured) for key in measured[0]}
    several = whole["auc"].filter(pl.col("kind").is_in([kind for kind, number in kinds.items() if number > 1]))
    histories = training.history_table(study, names)
    return {
        "auc.csv": whole["auc"],
        "auc_summary.csv": discrimination.auc_summary(whole["auc"]),
        "gaps.csv": whole["gaps"],
        "roc.parquet": curves.mean_curves(whole["curves"]),
        "comparison.csv": pl.concat([comparison.resampled_comparisons(several, splits), whole["paired"]]),
        "standing.csv": standing.standing_table(whole["auc"]),
        "rank_correlation.csv": ranking.mean_ranks(whole["ranks"]),
        "archive.csv": archive.archive_table(table),
        "ages.csv": archive.age_table(table),
        "splits.csv": archive.split_table(table, list(splits.values())),
        "runs.csv": training.run_table(study, names, histories),
        "history.csv": histories,
        "failures.csv": training.failure_table(study),
    }


def _split_tables(
    truth: HeldOut, scores: Sequence[Scores], pairs: Sequence[tuple[str, str]], *, is_alone: bool
) -> dict[str, pl.DataFrame]:
    """What one split's runs show; only their scores are in memory at a time.

    Runs on a split that is alone of its kind are compared on its test set, for want of others.
    """
    masks = group_rows(truth.images)
    counts = discrimination.count_table(truth, masks)
    with ThreadPoolExecutor(max_workers=CORES) as pool:  # NumPy lets go of the interpreter while it sorts and adds
        aucs = list(pool.map(lambda run: discrimination.grouped_aucs(truth, run, masks), scores))
    return {
        "auc": pl.concat(discrimination.auc_table(truth, *one, counts) for one in zip(scores, aucs, strict=True)),
        "gaps": pl.concat(gaps.gap_table(truth, *one, pairs) for one in zip(scores, aucs, strict=True)),
        "curves": curves.roc_table(truth, scores),
        "ranks": ranking.rank_table(truth, scores),
        "paired": comparison.paired_comparisons(truth, scores if is_alone else []),
    }


def _write(result: pl.DataFrame, path: Path) -> None:
    if path.suffix == ".parquet":
        result.write_parquet(path)
    else:
        result.write_csv(path)
