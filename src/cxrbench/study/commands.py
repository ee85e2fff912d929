"""The plan on disk, and as one plain command per run: what a batch system needs that starts the runs itself."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from cxrbench.config import (
    ComputeSettings,
    RunConfig,
    Settings,
    StudySettings,
    load_approach,
    load_study,
    parse_settings,
)
from cxrbench.errors import StudyError
from cxrbench.files import partial_of, write_json
from cxrbench.runs import FAILURE_FILE, STUDY_FILE, RunName, read_study_record
from cxrbench.study.attempt import is_begun
from cxrbench.study.plan import RunTask

PLAN_FILE = "plan.json"


class _PlannedRun(Settings):
    """One run; paths inside the study start at its folder, so that nodes may see it at different places."""

    config: RunConfig
    store: str
    weights: str | None
    compute: ComputeSettings = ComputeSettings()


class _PlanFile(Settings):
    runs: tuple[_PlannedRun, ...]


@dataclass(frozen=True)
class RunState:
    """How far a run of the plan is: ``done``, ``begun``, ``failed`` or ``to do``."""

    name: RunName
    state: str
    reason: str = ""

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self.state == "done"


def study_settings(source: Path) -> StudySettings:
    """The settings of a study, from its YAML or from its folder.

    Raises:
        StudyError: It is a folder without a study.
    """
    if not source.is_dir():
        return load_study(source, {})
    raw = read_study_record(source)["settings"] | {"out": source}
    return parse_settings(raw, StudySettings, where=str(source / STUDY_FILE))


def run_states(settings: StudySettings) -> list[RunState]:
    """Every run that the settings ask for, in the order of the plan; looks at names on disk alone."""
    approaches = [load_approach(name).name for name in settings.approaches]
    names = [
        RunName(approach, split, seed)
        for split in settings.splits.names
        for seed in settings.seeds
        for approach in approaches
    ]
    return [_state(name, settings.out) for name in names]


def _state(name: RunName, study: Path) -> RunState:
    folder = name.folder(study)
    if folder.exists():
        return RunState(name, "done")
    try:
        failure = json.loads((partial_of(folder) / FAILURE_FILE).read_text(encoding="utf-8"))
        return RunState(name, "failed", str(failure["reason"]))
    except (OSError, ValueError, LookupError, TypeError):
        return RunState(name, "begun" if is_begun(folder) else "to do")


def write_plan(tasks: Sequence[RunTask], study: Path) -> None:
    """Write all that ``perform`` needs to make these runs."""
    runs = tuple(
        _PlannedRun(
            config=task.config,
            store=_inside(task.store, study),
            weights=None if task.weights is None else _inside(task.weights, study),
            compute=task.compute,
        )
        for task in tasks
    )
    write_json(study / PLAN_FILE, _PlanFile(runs=runs).model_dump(mode="json"))


def _inside(path: Path, study: Path) -> str:
    """A path relative to the study where it lies inside, else absolute."""
    path, study = path.absolute(), study.absolute()
    return str(path.relative_to(study) if path.is_relative_to(study) else path)


def read_task(study: Path, name: RunName) -> RunTask:
    """One run of the written plan.

    Raises:
        StudyError: There is no plan, or the run is not in it.
    """
    planned = {_name(run.config): run for run in _read_plan(study)}
    if name not in planned:
        known = ", ".join(str(each) for each in sorted(planned)[:8]) + (", ..." if len(planned) > 8 else "")
        raise StudyError(f"{study / PLAN_FILE}: no run {name}; it has: {known or 'none'}")
    run = planned[name]
    weights = None if run.weights is None else study / run.weights
    return RunTask(name, run.config, study, study / run.store, weights, run.compute)


def commands(names: Sequence[RunName], study: Path) -> list[str]:
    """One command line per run.

    Raises:
        StudyError: What the runs share is not on disk yet for one of them.
    """
    if not (study / PLAN_FILE).exists():
        raise StudyError(f"{study}: not prepared for single runs; add --prepare")
    planned = {_name(run.config) for run in _read_plan(study)}
    if absent := [name for name in names if name not in planned]:
        raise StudyError(f"{study}: {absent[0]} is not prepared; add --prepare")
    return [
        shlex.join(["cxrbench", "perform", str(study.absolute()), name.approach, name.split, str(name.seed)])
        for name in names
    ]


def _name(config: RunConfig) -> RunName:
    return RunName(config.approach.name, config.split, config.seed)


def _read_plan(study: Path) -> tuple[_PlannedRun, ...]:
    path = study / PLAN_FILE
    try:
        return _PlanFile.model_validate_json(path.read_bytes()).runs
    except FileNotFoundError:
        raise StudyError(f"{study}: not prepared for single runs; `cxrbench plan {study} --prepare` does it") from None
    except ValidationError:
        raise StudyError(f"{path}: damaged, or of another version; `cxrbench plan --prepare` writes it anew") from None
