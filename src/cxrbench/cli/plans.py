"""Subcommands about the runs of a study one by one, for batch systems such as SLURM."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cxrbench.cli.options import Study
from cxrbench.cli.studies import say_origin

if TYPE_CHECKING:
    from cxrbench.config import StudySettings
    from cxrbench.study.commands import RunState

FAILED_RUN = 1


def plan(
    study: Annotated[Path, typer.Argument(help="YAML of a study, or its folder.")],
    commands: Annotated[
        bool, typer.Option("--commands", help="One command per run that is to do, nothing else.")
    ] = False,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="First bring onto disk what runs share: table, weights, store, splits.")
    ] = False,
    approach: Annotated[list[str] | None, typer.Option(help="Only this approach; may be repeated.")] = None,
    split: Annotated[list[str] | None, typer.Option(help="Only this split, by name; may be repeated.")] = None,
) -> None:
    """Show the runs of a study and how far each is, or a command for each that is to do."""
    from cxrbench.study import commands as planning
    from cxrbench.study import require_known

    settings = planning.study_settings(study)
    if prepare:
        _prepare(settings)
    else:
        say_origin(settings.out)
    of_study = planning.run_states(settings)
    require_known("split", split or [], list(dict.fromkeys(state.name.split for state in of_study)))
    require_known("approach", approach or [], list(dict.fromkeys(state.name.approach for state in of_study)))
    states = [
        state
        for state in of_study
        if (not approach or state.name.approach in approach) and (not split or state.name.split in split)
    ]
    if commands:
        for line in planning.commands([state.name for state in states if not state.is_done], settings.out):
            print(line)
    else:
        _show(states)


def _prepare(settings: "StudySettings") -> None:
    """Make what the runs share, and write what each needs."""
    from cxrbench.study import make_plan, prepare_study
    from cxrbench.study.commands import write_plan
    from cxrbench.study.plan import anew_notes
    from cxrbench.study.preparation import locked
    from cxrbench.terminal import shown_progress

    with locked(settings.out):
        with shown_progress() as track:
            materials = prepare_study(settings, track=track)
        made = make_plan(materials)
        for note in (*materials.notes, *anew_notes(made.to_do)):
            print(f"note: {note}", file=sys.stderr)
        write_plan(made.to_do, settings.out)


def _show(states: "list[RunState]") -> None:
    import polars as pl

    from cxrbench.terminal import show_table

    rows = [(s.name.approach, s.name.split, str(s.name.seed), s.state, s.reason) for s in states]
    show_table(pl.DataFrame(rows, schema=["approach", "split", "seed", "state", "reason"], orient="row"))
    done = sum(state.is_done for state in states)
    print(f"runs: {done} done, {len(states) - done} to do")


def perform(
    study: Study,
    approach: Annotated[str, typer.Argument(help="Name of the approach.")],
    split: Annotated[str, typer.Argument(help="Name of the split.")],
    seed: Annotated[int, typer.Argument(help="Seed of the run.")] = 0,
) -> None:
    """Make one run of a study that `plan --prepare` prepared; one that was stopped goes on."""
    from cxrbench import study as studies
    from cxrbench.runs import RunName
    from cxrbench.study.commands import read_task
    from cxrbench.study.plan import anew_notes
    from cxrbench.terminal import StudyBars

    name = RunName(approach, split, seed)
    if name.folder(study).exists():
        print(f"{name}: done already")
        return
    task = read_task(study, name)
    say_origin(study)
    for note in anew_notes([task]):
        print(f"note: {note}", file=sys.stderr)
    with StudyBars(studies.Plan((task,), ())) as bars:
        outcome = bars.finished(studies.perform(task, report=bars.begin(task)))
    if outcome.failure:
        print(f"failed: {outcome.name}: {outcome.failure}", file=sys.stderr)
        sys.exit(FAILED_RUN)


COMMANDS = (plan, perform)
