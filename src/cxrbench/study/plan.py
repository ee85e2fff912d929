"""Which runs a study needs, which are there, and how long the others may take."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from cxrbench.config import (
    AS_FITS_THE_MACHINE,
    Approach,
    ComputeSettings,
    RunConfig,
    changed_code,
    code_of,
    norm_batch,
    read_run,
)
from cxrbench.errors import StudyError
from cxrbench.runs import CONFIG_FILE, ENVIRONMENT_FILE, RunName, run_file
from cxrbench.splits import Split
from cxrbench.study.attempt import is_left_by_another
from cxrbench.study.preparation import Materials

SHOWN = 4


@dataclass(frozen=True)
class RunTask:
    """All that a process, here or on another node, needs to make one run.

    Attributes:
        name: Of the run.
        config: Its identity.
        study: Where table and splits are, and the run goes.
        store: The archive's shrunk images.
        weights: Of the backbone; None: it starts at random.
        compute: How the arithmetic is done.
        place: Where in ``study`` the run goes; None: where its name says.
    """

    name: RunName
    config: RunConfig
    study: Path
    store: Path
    weights: Path | None
    compute: ComputeSettings = AS_FITS_THE_MACHINE
    place: str | None = None

    @property
    def folder(self) -> Path:
        """Of the finished run."""
        return self.name.folder(self.study) if self.place is None else self.study / self.place


@dataclass(frozen=True)
class Plan:
    """Runs to make and runs that are there."""

    to_do: tuple[RunTask, ...]
    done: tuple[RunName, ...]


def make_plan(materials: Materials, *, only_splits: Sequence[str] = ()) -> Plan:
    """Approaches x splits x seeds, less what is done.

    Args:
        materials: What the runs share.
        only_splits: Narrow the plan to these; empty: all.

    Raises:
        StudyError: A finished run was made with other settings, or a split to narrow to does not exist.
    """
    require_known("split", only_splits, [split.name for split in materials.splits])
    code = {approach.name: code_of(approach) for approach in materials.approaches}
    tasks = [
        _task(materials, approach, split, seed, code=code[approach.name])
        for split in materials.splits
        if not only_splits or split.name in only_splits
        for seed in materials.seeds
        for approach in materials.approaches
    ]
    is_done = [_is_done(task) for task in tasks]
    return Plan(
        to_do=tuple(task for task, done in zip(tasks, is_done, strict=True) if not done),
        done=tuple(task.name for task, done in zip(tasks, is_done, strict=True) if done),
    )


def require_known(kind: str, names: Sequence[str], there: Sequence[str]) -> None:
    """Refuse names of splits or approaches that a study does not have.

    Raises:
        StudyError: The first name that is unknown, and those it has.
    """
    if unknown := sorted(set(names) - set(there)):
        raise StudyError(f"unknown {kind} {unknown[0]!r}; this study has: {', '.join(there)}")


def _task(materials: Materials, approach: Approach, split: Split, seed: int, *, code: dict[str, str] | None) -> RunTask:
    path, record = materials.weights.get(approach.name, (None, None))
    config = RunConfig(
        approach=approach,
        profile=materials.profile.name,
        weights=record,
        split=split.name,
        split_digest=split.digest,
        store_digest=materials.store.digest,
        table_digest=materials.table_digest,
        seed=seed,
        findings=materials.findings,
        norm_batch=norm_batch(materials.compute, approach),
        code=code,
    )
    name = RunName(approach.name, split.name, seed)
    return RunTask(name, config, materials.study, materials.store.folder, path, materials.compute)


def _is_done(task: RunTask) -> bool:
    """Whether the run is there; one of other settings is refused, never mixed in."""
    folder = task.folder
    if not folder.exists():
        return False
    try:
        raw = json.loads(_checked(task).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StudyError(
            f"{folder / CONFIG_FILE}: cannot be read ({error}); delete {folder} and train the run again"
        ) from None
    made_with = read_run(raw, where=folder / CONFIG_FILE).config
    _check_same(made_with, task.config, folder)
    return True


def _checked(task: RunTask) -> Path:
    """Return the configuration of a run that is there, as it was when the run was finished."""
    return run_file(task.study, task.name, CONFIG_FILE) if task.place is None else task.folder / CONFIG_FILE


def _check_same(made_with: RunConfig, config: RunConfig, folder: Path) -> None:
    """Refuse a finished run of other settings, or of other code."""
    old, new = made_with.identity(), config.identity()
    if old == new:
        return
    changed = _differences(old, new)
    if {**old, "code": None} == {**new, "code": None}:
        packages = ", ".join(changed_code(made_with.code, config.code))
        raise StudyError(
            f"{folder}: made with other sources of {packages} than are here now; delete it and train it again, or "
            "choose another --out"
        )
    raise StudyError(f"{folder}: made with other settings ({changed}); remove it, or choose another --out")


def _differences(old: dict[str, object], new: dict[str, object], prefix: str = "") -> str:
    """The keys whose values differ, dotted, the first few."""
    differing = [f"{prefix}{key}" for key in old if key not in new]
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            differing += filter(None, [_differences(before, value, f"{prefix}{key}.")])
        elif before != value:
            differing.append(f"{prefix}{key}")
    return ", ".join(differing[:4])


def estimate_seconds(plan: Plan, study: Path, *, workers: int = 1) -> float | None:
    """Seconds that the runs to do may take, from the finished ones; None when these do not tell.

    Args:
        plan: What is done and what is to do.
        study: Folder of the study.
        workers: Runs at a time, on shares of the same machine as the finished ones.
    """
    spent: dict[str, list[float]] = {}
    for name in plan.done:
        if (seconds := _seconds_spent(name.folder(study) / ENVIRONMENT_FILE)) is not None:
            spent.setdefault(name.approach, []).append(seconds)
    if not spent or not plan.to_do:
        return None
    typical = {approach: mean(seconds) for approach, seconds in spent.items()}
    overall = mean(typical.values())
    each = [typical.get(task.name.approach, overall) for task in plan.to_do]
    return max(sum(each) / workers, *each)


def _seconds_spent(path: Path) -> float | None:
    """How long a finished run was trained; None when its record does not tell."""
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["training_seconds"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def describe_plan(plan: Plan, study: Path, *, workers: int = 1) -> str:
    """The plan in words: what is done, what is to do, and how long it may take where earlier runs tell."""
    splits = sorted({task.name.split for task in plan.to_do})
    approaches = list(dict.fromkeys(task.name.approach for task in plan.to_do))
    lines = [f"runs: {len(plan.done)} done, {len(plan.to_do)} to do"]
    if plan.to_do:
        lines += [f"  approaches: {', '.join(approaches)}", f"  splits: {', '.join(splits)}"]
        lines += [f"  {note}" for note in anew_notes(plan.to_do)]
        lines.append("  time: " + _duration(estimate_seconds(plan, study, workers=workers), workers))
    return "\n".join(lines)


def anew_notes(tasks: Sequence[RunTask]) -> tuple[str, ...]:
    """Name the unfinished runs that begin anew, in one sentence; empty where none does."""
    names = [str(task.name) for task in tasks if is_left_by_another(task.folder, task.config.hash)]
    if not names:
        return ()
    listed = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    return (f"begin anew, as what is there was left by version 0.1, or by other settings or code: {listed}",)


def _duration(seconds: float | None, workers: int) -> str:
    if seconds is None:
        return "known after the first run"
    return f"about {seconds / 60:.0f} min, " + ("one run" if workers == 1 else f"{workers} runs") + " at a time"
