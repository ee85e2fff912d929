"""Make one run of a plan, here and now; what every engine calls, wherever it does so."""

import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from safetensors.torch import load_file

from cxrbench.config import changed_code, code_of
from cxrbench.data.store import open_store
from cxrbench.errors import CxrbenchError, StudyError
from cxrbench.files import partial_of, write_json
from cxrbench.runs import FAILURE_FILE, SPLITS_FOLDER, TABLE_FILE, RunName, seal_run
from cxrbench.splits import check_covers, read_split
from cxrbench.study.attempt import Attempt, TakenOverError, attempting
from cxrbench.study.plan import RunTask
from cxrbench.training import ReportStep, fit_run, ignore_steps


@dataclass(frozen=True)
class Outcome:
    """How one run ended."""

    name: RunName
    seconds: float
    failure: str | None = None


def perform(task: RunTask, *, report: ReportStep = ignore_steps) -> Outcome:
    """Make one run from what is on disk; its folder appears when all of it is there.

    A run that is there already is not made again. A failure is written beside the unfinished work, which the
    next attempt takes up.
    """
    started = time.perf_counter()
    folder = task.folder
    if folder.exists():
        return Outcome(task.name, 0.0)
    failure = _attempt(task, folder, report)
    return Outcome(task.name, time.perf_counter() - started, failure=failure)


def _attempt(task: RunTask, folder: Path, report: ReportStep) -> str | None:
    """Why the run failed, if it did."""
    (partial_of(folder) / FAILURE_FILE).unlink(missing_ok=True)
    try:
        with attempting(folder) as attempt:
            _fit(task, attempt, report)
    except TakenOverError as error:  # the other attempt speaks for the run
        return None if folder.exists() else str(error)
    except Exception as error:  # noqa: BLE001 - whatever ends one run, the others go on and the reason is kept
        reason = str(error) if isinstance(error, CxrbenchError) else f"{type(error).__name__}: {error}"
        return note_failure(task, reason, error)
    return None


def _fit(task: RunTask, attempt: Attempt, report: ReportStep) -> None:
    if changed := changed_code(task.config.code, code_of(task.config.approach)):
        raise StudyError(
            f"the sources of {', '.join(changed)} are not those that the run was planned with; start the study again, "
            "or put the same ones on every node"
        )
    table = pl.read_parquet(task.study / TABLE_FILE)
    split = read_split(task.study / SPLITS_FOLDER / f"{task.config.split}.json")
    check_covers(split, table)
    fit_run(
        task.config,
        attempt.scratch,
        table=table,
        store=open_store(task.store),
        split=split,
        weights=None if task.weights is None else load_file(task.weights),
        compute=task.compute,
        report=attempt.watched(report),
    )
    made_from = {"table": task.config.table_digest, "store": task.config.store_digest, "split": split.digest}
    seal_run(attempt.scratch, task.name, made_from=made_from)


def note_failure(task: RunTask, reason: str, error: Exception) -> str:
    """Write why a run failed, if the disk still takes it; the reason on one line."""
    reason = " ".join(reason.split())
    failure = {"reason": reason, "type": type(error).__name__, "traceback": traceback.format_exception(error)}
    path = partial_of(task.folder) / FAILURE_FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, failure)
    except OSError:
        return reason  # the outcome still carries it
    return reason
